import { crypto } from '../../ledger/crypto.ts'

/**
 * The one script of the pages: it loads the page that is shown again, and takes over what has changed. What stays keeps its element, so what
 * is unfolded, focused or typed stays, too. Forms that decide are never exchanged for others below the pointer: if the page has other ones,
 * a line says so. It asks again after two seconds, or after twenty times as long as an answer took, while the page is visible.
 */
export const liveScript = `
(() => {
  const shortest = 2000, longest = 60000, share = 20
  const line = document.getElementById('live')
  const main = document.querySelector('main')
  let pause = shortest, timer, isAsking = false

  const say = (text, link) => {
    if (line.dataset.text === text) return
    line.dataset.text = text
    const reload = document.createElement('a')
    reload.href = ''
    reload.textContent = link
    reload.addEventListener('click', (event) => {
      event.preventDefault()
      location.reload()
    })
    line.replaceChildren(text + ' ', reload)
    line.hidden = text === ''
  }

  const tenantOf = (page) => page.querySelector('.tenant')?.textContent
  const isForm = (node) => node.nodeName === 'FORM' && node.getAttribute('method') === 'post'
  const formsOf = (part) => [...part.querySelectorAll('form')].filter(isForm).map((form) => form.getAttribute('action')).join()
  const markupOf = (node) => node.nodeType === 1 ? node.outerHTML.replaceAll('<details open="">', '<details>') : node.nodeValue
  const keyOf = (node) => {
    if (isForm(node)) return node.getAttribute('action')
    if (node.dataset?.key) return node.dataset.key
    if (/^(LI|TR)$/.test(node.nodeName)) return node.querySelector('a[href]')?.getAttribute('href')
    return node.nodeType === 1 ? node.getAttribute('aria-labelledby') : undefined
  }

  const patch = (old, next) => {
    if (isForm(old) || markupOf(old) === markupOf(next)) return
    if (old.nodeType !== 1) {
      old.nodeValue = next.nodeValue
      return
    }
    for (const { name } of [...old.attributes]) if (name !== 'open' && !next.hasAttribute(name)) old.removeAttribute(name)
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
    merge(old, next)
  }

  const merge = (old, next) => {
    const theirs = [...next.childNodes], kept = new Map()
    const left = new Set(old.childNodes)
    const match = (nameOf) => {
      const named = new Map()
      for (const node of left) {
        const name = nameOf(node)
        if (name) named.set(name, [...(named.get(name) ?? []), node])
      }
      for (const node of theirs) {
        const one = kept.has(node) ? undefined : named.get(nameOf(node))?.shift()
        if (one === undefined) continue
        kept.set(node, one)
        left.delete(one)
      }
    }
    match((node) => node.nodeName + ' ' + markupOf(node))
    match((node) => keyOf(node) && node.nodeName + ' ' + keyOf(node))
    match((node) => !keyOf(node) && node.nodeName)
    for (const node of left) node.remove()
    let at = old.firstChild
    for (const node of theirs) {
      const one = kept.get(node)
      if (one === undefined) old.insertBefore(document.adoptNode(node), at)
      else if (one === at) at = at.nextSibling
      else old.insertBefore(one, at)
      if (one !== undefined) patch(one, node)
    }
  }

  const take = (next) => {
    const [forms, others] = [formsOf(main), formsOf(next)]
    if (forms !== '' && others !== '' && forms !== others) return say('What can be decided here has changed.', 'Show it')
    say('', '')
    const focused = document.activeElement
    const path = focused?.getAttribute('href')
    merge(main, next)
    if (path && !focused.isConnected) main.querySelector('a[href="' + CSS.escape(path) + '"]')?.focus({ preventScroll: true })
  }

  const ask = async () => {
    clearTimeout(timer)
    if (isAsking || document.hidden) return
    isAsking = true
    const began = performance.now()
    try {
      const answer = await fetch(location.href, { redirect: 'error' })
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
      if (!answer.ok || tenantOf(next) !== tenantOf(document)) throw new Error('It is another page.')
      take(next.querySelector('main'))
      pause = Math.max(shortest, share * (performance.now() - began))
    } catch {
      say('What you see may be old: this page could not be loaded again.', 'Reload it')
      pause = Math.min(2 * pause, longest)
    }
    isAsking = false
    timer = setTimeout(ask, pause)
  }
  document.addEventListener('visibilitychange', ask)
  timer = setTimeout(ask, pause)
})()
`

let source: string | undefined

/** Returns the source in a content security policy that lets this script run, and no other. */
export function liveScriptSource(): string {
  source ??= `'sha256-${crypto().createHash('sha256').update(liveScript).digest('base64')}'`
  return source
}
