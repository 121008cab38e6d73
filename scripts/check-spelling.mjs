// Finds misspelt words in all committed files, with typos; _typos.toml lists the exceptions.
import process from 'node:process'
import { pythonTool } from './lib/python-tool.mjs'
import { inRoot } from './lib/root.mjs'
import { run } from './lib/run.mjs'

const typos = await pythonTool('typos', inRoot('scripts', 'lib', 'typos.txt'))
if (typos === undefined) console.log('NOT CHECKED: spelling; typos needs Python 3 with venv and pip')
else process.exitCode = (await run(typos, ['--config', '_typos.toml'])).code
