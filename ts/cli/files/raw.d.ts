/** The text of a file, which the build puts into the bundle (`scripts/build/javascript.mjs`). */
declare module '*?raw' {
  const text: string
  export default text
}
