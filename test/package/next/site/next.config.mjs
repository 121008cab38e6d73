import process from 'node:process'

const isExternal = process.env['BAILIWICK_IS_EXTERNAL'] === 'yes'

export default { output: 'standalone', ...(isExternal && { serverExternalPackages: ['bailiwick'] }) }
