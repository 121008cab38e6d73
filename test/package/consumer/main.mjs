import { BailiwickError } from 'bailiwick'
import { storeAndFind } from './stored.mjs'

// Not awaited at the top: a bundle in CommonJS cannot.
storeAndFind().then(
  (found) => console.log(JSON.stringify({ found })),
  (error) => console.log(JSON.stringify({ code: BailiwickError.isInstance(error) && error.code, said: error.message })),
)
