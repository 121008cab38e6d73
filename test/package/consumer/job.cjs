/**
 * What a first user does, given the package's exports.
 *
 * @param {typeof import('bailiwick', { with: { 'resolution-mode': 'import' } })} bailiwick
 */
module.exports = async (bailiwick) => {
  const { BailiwickError, createRuntime, defineRuntime, defineTenant, openStore } = bailiwick
  const tenant = defineTenant('acme', 'v1')
  let refused
  try {
    defineTenant('', 'v1')
  } catch (error) {
    refused = BailiwickError.isInstance(error) && error.code
  }
  const store = await openStore('memory:')
  const runtime = await createRuntime(defineRuntime({ tenant }), { store })
  const { id } = await runtime.references.put('greeting', { hello: 'world' })
  const found = (await runtime.references.resolve(id)).json()
  await runtime.close()
  await store.close()
  console.log(JSON.stringify({ tenant, refused, found }))
}
