// Where the sources are public. A release gives the address once, to scripts/pack.mjs; whatever names it is made from there.

/** Fields of package.json that say where a package comes from; npm compares provenance with the first. */
export const originFields = /** @type {const} */ (['repository', 'homepage', 'bugs'])

/**
 * Returns the fields of package.json for sources that are public at this address.
 *
 * @param {string} address `https://<host>/<owner>/<name>`
 * @returns {{ repository: { type: 'git', url: string }, homepage: string, bugs: string }}
 */
export function originOf(address) {
  if (!/^https:\/\/[a-z0-9.-]+(?:\/[\w.-]+){2}$/i.test(address) || address.endsWith('.git')) {
    throw new Error(`the address of the repository must be https://<host>/<owner>/<name>, not ${address}`)
  }
  return {
    repository: { type: 'git', url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
  }
}

/**
 * Returns a document as it is published, away from the sources: a relative link that leads to no file of the package leads to
 * the sources of this version. Without an address, its text stays, and of an image what it shows in words.
 *
 * @param {string} text Markdown
 * @param {{ address: string | undefined, version: string, isPackaged: (path: string) => boolean }} where
 */
export function publishedDocument(text, { address, version, isPackaged }) {
  const target = (/** @type {string} */ path, /** @type {'blob' | 'raw'} */ kind) =>
    `${address}/${kind}/v${version}/${path}`
  const isOutside = (/** @type {string} */ path) => !/^(?:[a-z][a-z0-9+.-]*:|#)/i.test(path) && !isPackaged(path)
  const prose = (/** @type {string} */ part) =>
    part
      .replace(/<picture>[\s\S]*?<\/picture>/g, (picture) => {
        if (address !== undefined)
          return picture.replace(/(src|srcset)="([^":]+)"/g, (_, name, path) => `${name}="${target(path, 'raw')}"`)
        return `*${picture.match(/alt="([^"]*)"/)?.[1] ?? ''}*`
      })
      .replace(/(!?)\[((?:[^[\]]|\\.)*)\]\(([^)\s]+)\)/g, (link, mark, label, path) => {
        if (!isOutside(path)) return link
        if (address !== undefined) return `${mark}[${label}](${target(path, mark === '!' ? 'raw' : 'blob')})`
        return mark === '!' ? `*${label}*` : label
      })
  // What is inside a fence is code.
  return text
    .split(/(^```[^\n]*\n[\s\S]*?^```$)/m)
    .map((part, index) => (index % 2 === 0 ? prose(part) : part))
    .join('')
}
