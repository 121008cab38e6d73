import { createRoot } from 'react-dom/client'
import { config } from 'zod'
import { App } from './app.tsx'

// The policy of the page allows no code that is made of text. zod, which `ai` uses, would try.
config({ jitless: true })

const root = document.getElementById('root')
if (root === null) throw new Error('The page has no element #root.')
createRoot(root).render(<App />)
