/**
 * The one style sheet. Colours are named once for light and once for dark; every pair of a text's and its ground's has a
 * contrast of at least 4.5, which `test/inspect/browser.test.ts` measures.
 */
export const style = `
:root {
  --ground: #f6f7f8; --raised: #ffffff; --sunken: #eef0f2; --line: #d5dade; --text: #1b2126; --quiet: #55606a;
  --link: #0b5f58; --mark: #0f766e; --focus: #0b5fff;
  --good: #14622f; --good-ground: #dff3e4; --warn: #7a4300; --warn-ground: #fdeecb; --bad: #9b1c1c; --bad-ground: #fde5e3;
  --busy: #1a4f9c; --busy-ground: #e1ecfb; --plain-ground: #e7eaed;
  --fail: #c2413b; --agent: #64748b; --tool: #0f766e; --model: #6d4fc2; --wait: #b96a00;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12171b; --raised: #1a2126; --sunken: #0d1114; --line: #333d45; --text: #e6eaed; --quiet: #a3afb9;
    --link: #6fd3c7; --mark: #2fa396; --focus: #8ab4ff;
    --good: #9be0b0; --good-ground: #143321; --warn: #f7c873; --warn-ground: #3a2a0c; --bad: #ffb0a8; --bad-ground: #43191a;
    --busy: #a9cbff; --busy-ground: #17304f; --plain-ground: #2a333a;
    --fail: #e0736a; --agent: #8593a5; --tool: #2fa396; --model: #a68cf0; --wait: #e09a3a;
    color-scheme: dark;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Open Sans", sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); }
a { color: var(--link); text-underline-offset: 0.2em; }
a:has(> .id) { text-underline-offset: 0.35em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: -100vw; }
.skip:focus { position: static; display: block; padding: 0.5rem 1rem; }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1.5rem; padding: 0.5rem max(1rem, calc((100vw - 72rem) / 2 + 1rem));
  background: var(--raised); border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: center; gap: 0.5rem; margin: 0; font-weight: 700; }
.tenant { margin: 0 0 0 auto; min-width: 0; overflow-wrap: anywhere; }
header nav { width: 100%; margin-left: -0.7rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: 0.3rem 0.7rem; border-radius: 6px; color: var(--text); text-decoration: none; }
nav a:hover { background: var(--sunken); }
nav a[aria-current] { background: var(--plain-ground); font-weight: 600; }
.filters { margin-bottom: 1rem; font-size: 0.9375rem; }

main { max-width: 72rem; margin: 0 auto; padding: 1rem 1rem 4rem; }
h1 { margin: 0.5rem 0 1rem; font-size: 1.625rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 0.75rem; font-size: 1.125rem; line-height: 1.35; overflow-wrap: anywhere; }
.card h2 { margin: 0 0 0.75rem; }
p { margin: 0 0 0.75rem; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-weight: 400; font-size: 0.9375rem; }
.nothing { padding: 1.5rem; text-align: center; color: var(--quiet); border: 1px dashed var(--line); border-radius: 10px; }
.goal { font-size: 1.125rem; }
.text { white-space: pre-wrap; }

.card { padding: 1.125rem; background: var(--raised); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
.cards { display: grid; gap: 1rem; margin: 0 0 1rem; padding: 0; list-style: none; grid-template-columns: minmax(0, 1fr); }
.panels { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }

.notice { padding: 0.75rem 1rem; border-radius: 10px; background: var(--plain-ground); }
.notice a { color: inherit; }
.notice p, .notice ul { margin: 0 0 0.25rem; overflow-wrap: anywhere; }
.notice.good { background: var(--good-ground); color: var(--good); }
.notice.warn { background: var(--warn-ground); color: var(--warn); }
.notice.bad { background: var(--bad-ground); color: var(--bad); }

#live:not([hidden]) { position: fixed; inset: auto 0 0; margin: 0; padding: 0.75rem 1rem; text-align: center; font-weight: 600;
  background: var(--warn-ground); color: var(--warn); border-top: 1px solid var(--line); }
#live a { color: inherit; }

.chip { display: inline-block; padding: 0 0.55rem; border-radius: 999px; font-size: 0.875rem; font-weight: 600; line-height: 1.6;
  background: var(--plain-ground); white-space: nowrap; }
.chip.good { background: var(--good-ground); color: var(--good); }
.chip.warn { background: var(--warn-ground); color: var(--warn); }
.chip.bad { background: var(--bad-ground); color: var(--bad); }
.chip.busy { background: var(--busy-ground); color: var(--busy); }

code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875rem; }
.id { overflow-wrap: anywhere; unicode-bidi: isolate; }
pre { margin: 0 0 0.75rem; padding: 0.75rem; max-height: 28rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--sunken); border: 1px solid var(--line); border-radius: 8px; }
pre:last-child, .card > :last-child { margin-bottom: 0; }
details { margin: 0 0 0.5rem; }
summary { cursor: pointer; color: var(--link); }
details[open] > summary { margin-bottom: 0.5rem; }
.older { padding: 0.75rem 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: 10px; }

.facts { display: grid; gap: 0.25rem 1.5rem; margin: 0 0 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.facts div { display: grid; grid-template-columns: 9rem minmax(0, 1fr); gap: 0.75rem; padding: 0.3rem 0; border-bottom: 1px solid var(--line); }
.facts dt { color: var(--quiet); overflow-wrap: anywhere; }
.facts dd { margin: 0; overflow-wrap: anywhere; }

table { width: 100%; border-collapse: collapse; }
caption { padding: 0 0 0.5rem; text-align: left; color: var(--quiet); font-size: 0.9375rem; }
th, td { padding: 0.5rem 0.75rem 0.5rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead th { color: var(--quiet); font-weight: 600; font-size: 0.875rem; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.list td[data-name="Asked"] { width: 26%; }
.list td[data-name="Answer"] { width: 20%; }
.list td.bar { width: 14%; }
.bars { table-layout: fixed; }
.bars th { width: 28%; font-weight: 400; }
.depth-1 { padding-left: 0.75rem; } .depth-2 { padding-left: 1.5rem; } .depth-3 { padding-left: 2.25rem; }
.depth-4 { padding-left: 3rem; } .depth-5 { padding-left: 3.5rem; } .depth-6 { padding-left: 4rem; }
.bars .number { width: 12rem; text-align: right; padding-right: 0; color: var(--quiet); font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
.bars.spans .number { width: 6.5rem; }
.bars tr > * { border: 0; padding-top: 0.25rem; padding-bottom: 0.25rem; }
.bar { vertical-align: middle; }
.scroll { overflow-x: auto; }
.rows { width: auto; min-width: 100%; font-size: 0.9375rem; }
.rows th, .rows td { overflow-wrap: normal; max-width: 24rem; min-width: 4rem; }

.line { display: block; width: 100%; height: 10px; border-radius: 3px; }
.track { fill: var(--sunken); }
.mark { fill: var(--mark); }
.mark.failed { fill: var(--fail); }
.mark.queued, .mark.suspended, .mark.interrupted, .mark.limited, .mark.wait { fill: var(--wait); }
.mark.agent, .mark.cancelled { fill: var(--agent); }
.mark.tool { fill: var(--tool); }
.mark.model { fill: var(--model); }
.plot { margin: 0; }
.plot figcaption { padding-bottom: 0.5rem; color: var(--quiet); font-size: 0.9375rem; }
.columns { display: block; width: 100%; height: 8rem; }
.axis { fill: var(--line); }
.ends { display: flex; justify-content: space-between; margin: 0.25rem 0 0; color: var(--quiet); font-size: 0.875rem; }

.events { margin: 0 0 1rem; padding: 0; list-style: none; border-left: 2px solid var(--line); }
.event { position: relative; padding: 0.4rem 0 0.4rem 1.25rem; min-width: 0; }
.event::before { content: ""; position: absolute; left: -6px; top: 0.95rem; width: 10px; height: 10px; border-radius: 50%; background: var(--mark); border: 2px solid var(--ground); }
.head { margin: 0 0 0.25rem; }
.head .number { display: inline-block; min-width: 5rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.steps .steps { margin: 0.25rem 0 0; }
.event.agent::before { background: var(--agent); }
.event.model::before { background: var(--model); }
.event.tool::before { background: var(--tool); }
.event.note::before { background: var(--line); }
.said { padding-left: 0.75rem; border-left: 3px solid var(--line); }
.asked li { padding: 0.25rem 0; }
.event ul { margin: 0; padding-left: 1.25rem; overflow-wrap: anywhere; }

form { display: grid; gap: 0.375rem; margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); max-width: 34rem; }
form.search { margin: 0 0 1rem; padding: 0; border: 0; }
.search .buttons { flex-wrap: nowrap; margin: 0; }
.search .fields { display: grid; gap: 0.25rem 1rem; grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr)); }
.search .fields p { margin: 0; min-width: 0; }
.search button { flex: none; background: var(--plain-ground); color: var(--text); }
label { font-weight: 600; }
input, textarea, select { width: 100%; padding: 0.5rem 0.65rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--quiet); border-radius: 6px; }
textarea { resize: vertical; }
.buttons { display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem; margin: 0.5rem 0 0; }
button { padding: 0.55rem 1.25rem; font: inherit; font-weight: 600; border: 2px solid transparent; border-radius: 6px; cursor: pointer; }
.approve { background: var(--good); color: var(--raised); }
.reject { background: var(--raised); color: var(--bad); border-color: var(--bad); }
button:hover { filter: brightness(1.08); }

@media (max-width: 44rem) {
  .list thead { position: absolute; left: -100vw; }
  .list, .list tbody, .list caption { display: block; }
  .list tr { display: block; padding: 0.75rem 0; }
  .list td, .list td[data-name="Asked"], .list td[data-name="Answer"], .list td.bar { display: block; position: relative; width: auto; padding: 0.15rem 0 0.15rem 6rem; border: 0; }
  .list td::before { content: attr(data-name); position: absolute; left: 0; top: 0.25rem; color: var(--quiet); font-size: 0.875rem; }
  .list td.bar { padding-top: 0.5rem; padding-bottom: 0.5rem; }
  .bars th { width: 32%; }
  .bars .number { width: 42%; }
  .facts div { grid-template-columns: 7.5rem minmax(0, 1fr); }
  .tenant { margin: 0; }
}
`
