import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's top folder: scripts work from any current directory. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {...string} parts path below the top folder */
export const inRoot = (...parts) => join(root, ...parts)
