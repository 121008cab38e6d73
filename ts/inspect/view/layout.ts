import { Html, html } from './html.ts'
import { liveScript } from './live.ts'

/** The parts of the page, by the path that each begins with. */
export const sections = [
  ['/', 'Overview'],
  ['/runs', 'Runs'],
  ['/approvals', 'Approvals'],
  ['/waits', 'Waits'],
  ['/plans', 'Plans'],
  ['/references', 'References'],
  ['/threads', 'Threads'],
  ['/events', 'Events'],
  ['/ledger', 'Ledger'],
] as const

/** The content under the navigation. */
export interface Page {
  readonly title: string
  /** The path of the section that it belongs to. */
  readonly section: (typeof sections)[number][0] | undefined
  readonly body: Html
}

const live = html`
<p id="live" role="status" hidden></p>
${new Html(`<script>${liveScript}</script>`)}`

/** A whole document, which keeps itself up to date. Without the id of a tenant it shows nothing of one: refusals go to any client. */
export function layout({ title, section, body }: Page, resourceId: string | undefined): string {
  const links = sections.map(
    ([path, name]) => html`<li><a href="${path}"${path === section && html` aria-current="page"`}>${name}</a></li>`,
  )
  return documentOf(
    title,
    html`<a class="skip" href="#main">To the content</a>
<header>
  <p class="brand"><img src="/icon.svg" alt="" width="22" height="22"> bailiwick</p>
  ${resourceId !== undefined && html`<p class="tenant"><span class="quiet">tenant</span> <b>${resourceId}</b></p>`}
  ${resourceId !== undefined && html`<nav aria-label="Sections"><ul>${links}</ul></nav>`}
</header>
<main id="main" tabindex="-1"><h1>${title}</h1>${body}</main>${resourceId !== undefined && live}`,
  )
}

/** Page at the start of a session: it forwards to the overview. */
export const enteredPage = documentOf(
  'Welcome',
  html`<main><h1>Welcome</h1><p><a href="/">To the overview</a></p></main>`,
  html`<meta http-equiv="refresh" content="0; url=/">`,
)

function documentOf(title: string, body: Html, more?: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${more}
<title>${title} · bailiwick</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body>
${body}
</body>
</html>
`.toString()
}
