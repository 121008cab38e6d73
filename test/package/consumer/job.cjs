/**
 * What a first user does, given the package's exports.
 *
 * @param {typeof import('bailiwick', { with: { 'resolution-mode': 'import' } })} bailiwick
 */
module.exports = async (bailiwick) => {
  const { BailiwickError, defineRuntime, defineTenant } = bailiwick
  const { tenant } = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  let refused
  try {
    defineTenant('', 'v1')
  } catch (error) {
    refused = BailiwickError.isInstance(error) && error.code
  }
  console.log(JSON.stringify({ tenant, refused }))
}
