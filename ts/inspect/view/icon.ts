/** The picture of a tab: a tower's wall, for what a bailiff kept. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#0f766e" d="M4 4h6v5h3V4h6v5h3V4h6v24H4z"/><path fill="#fff" d="M13 28v-7a3 3 0 0 1 6 0v7z"/></svg>`
