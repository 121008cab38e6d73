import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'

const folder = inRoot('.github', 'workflows')
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(`${folder}/${name}`, 'utf8') }))
const release = workflows.find(({ name }) => name === 'release.yml')?.text ?? ''

/** A job's own lines, without its name. */
function job(name: string): string {
  return release.match(new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)+)`, 'm'))?.[1] ?? ''
}

describe('workflows', () => {
  test.each(workflows)('$name pins every action by a full commit', ({ text }) => {
    const actions = [...text.matchAll(/uses: (.+)/g)].map((match) => match[1])
    expect(actions.length).toBeGreaterThan(0)
    for (const action of actions) expect(action).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test.each(workflows)('$name may read and no more, and leaves no token behind', ({ text }) => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m)
    // Publishing alone gets a token, for the provenance.
    expect(text.match(/: write$/gm) ?? []).toEqual(text === release ? [': write'] : [])
    const checkouts = text.match(/actions\/checkout@[^\n]+\n +with:\n +persist-credentials: false$/gm) ?? []
    expect(checkouts.length).toBe((text.match(/actions\/checkout@/g) ?? []).length)
  })

  test('a release builds every target', () => {
    const built = [...job('addon').matchAll(/triple: ([a-z0-9_-]+),/g)].map((match) => match[1] ?? '')
    expect(built.sort()).toEqual(targets().map(({ triple }) => triple))
  })

  test('nothing is published before the gate, the trials and the second build have passed', () => {
    expect(job('publish')).toMatch(/needs: \[addon, reproducible, sbom, try-in-container, try-on-runner\]/)
    for (const trial of ['try-in-container', 'try-on-runner']) expect(job(trial)).toMatch(/needs: pack$/m)
    expect(job('pack')).toMatch(/needs: addon$/m)
    expect(job('pack')).toContain('scripts/release.mjs check packages')
    expect(job('publish')).toContain('--provenance')
    expect(release.match(/npm publish|release\.mjs publish/g)).toEqual(['release.mjs publish'])
  })

  test('the address of the sources is set once, to the repository that releases, and everything is packed with it', () => {
    expect(
      release.match(/^ {2}REPOSITORY: \$\{\{ github\.server_url \}\}\/\$\{\{ github\.repository \}\}$/gm),
    ).toHaveLength(1)
    expect(job('pack')).toContain('scripts/pack.mjs --as-built --to packages --repository "$REPOSITORY"')
    expect(readFileSync(inRoot('package.json'), 'utf8')).not.toMatch(/"(?:repository|homepage|bugs)":/)
  })

  test('every addon that is published is compared with the hash that its own build gave', () => {
    const given = [...job('addon').matchAll(/^ {6}(\S+): \$\{\{ steps\.hash\.outputs\.(\S+) \}\}$/gm)]
    expect(given.map(([, name]) => name).sort()).toEqual(
      targets()
        .map(({ name }) => name)
        .sort(),
    )
    for (const [, name, output] of given) expect(output).toBe(name)
    expect(job('addon')).toMatch(/id: hash\n +run: node scripts\/release\/hash\.mjs \$\{\{ matrix\.triple \}\}/)
    for (const name of ['pack', 'publish']) expect(job(name)).toContain('--addons "$ADDONS"')
    expect(job('reproducible')).toContain('needs.addon.outputs.linux-x64-gnu')
  })

  test('where packages are made or published, nothing from outside is installed but by lock files', () => {
    for (const name of ['pack', 'publish']) {
      expect(job(name)).not.toMatch(/cargo install|cargo cyclonedx|pip install|npx|npm (?:install|exec|sbom)|curl|wget/)
    }
    expect(job('sbom')).toContain('cargo install cargo-cyclonedx')
    // It gives nothing to whoever makes or publishes packages.
    expect(release.match(/name: sbom$/gm)).toHaveLength(1)
    expect(job('sbom')).not.toContain('needs:')
  })
})
