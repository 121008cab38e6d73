/**
 * Imports a rival from the benchmark's own `node_modules`, beside which this file is; the bundled programs are elsewhere.
 *
 * @param {string} name
 * @returns {Promise<any>}
 */
export const importRival = (name) => import(name)
