// Finds misspelt words in everything that is committed, by typos; _typos.toml lists what is meant as it is written.
import process from 'node:process'
import { pythonTool } from './lib/python-tool.mjs'
import { inRoot } from './lib/root.mjs'
import { run } from './lib/run.mjs'

const typos = await pythonTool('typos', inRoot('scripts', 'lib', 'typos.txt'))
if (typos === undefined) console.log('NOT CHECKED: spelling; typos needs Python 3 with venv and pip')
else process.exitCode = (await run(typos, ['--config', '_typos.toml'])).code
