/** How every page looks, in light and in dark. Colours of text are told from their grounds by 4.5 to 1 at least. */
export const css = `
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #fff; --ink: #1d1c1a; --soft: #5f5c56; --line: #dfdcd5; --edge: #8b877e; --tag: #edebe6;
  --accent: #1f6b5b; --on-accent: #fff; --good: #1b6b3a; --good-tag: #dff1e4; --bad: #a3261f; --bad-tag: #fbe3e0; --note: #7a5200; --note-tag: #faeccb;
  --shadow: 0 1px 2px rgb(0 0 0 / 6%), 0 4px 16px rgb(0 0 0 / 5%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141416; --card: #1e1e21; --ink: #edecea; --soft: #a8a59e; --line: #34343a; --edge: #77777f; --tag: #2a2a2f;
    --accent: #6fcdb5; --on-accent: #0e1f1a; --good: #84d6a1; --good-tag: #17331f; --bad: #ff9d93; --bad-tag: #421a17; --note: #f0c469; --note-tag: #3a2c0d;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { margin: 0 0 16px; font-size: 24px; line-height: 1.25; font-weight: 650; letter-spacing: -0.015em; }
h1 small { font-size: 15px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
h2 { margin: 28px 0 12px; font-size: 17px; font-weight: 620; }
p { margin: 0 0 12px; }
a { color: var(--accent); text-underline-offset: 2px; }
small { font-size: 12px; color: var(--soft); }
kbd { display: inline-block; min-width: 1.7em; padding: 0 5px; border: 1px solid currentcolor; border-radius: 5px; font: 600 11px/1.6 ui-monospace, monospace;
  text-align: center; opacity: .85; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 6px; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 12px; top: -60px; z-index: 9; padding: 8px 14px; background: var(--card); border-radius: 8px; }
.skip:focus { top: 8px; }
.soft { color: var(--soft); font-size: 13px; }

body > header { display: flex; align-items: center; gap: 20px; padding: 10px 24px; background: var(--card); border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: center; gap: 8px; color: var(--ink); font-weight: 650; text-decoration: none; white-space: nowrap; }
.brand svg { width: 24px; height: 24px; fill: none; stroke: var(--accent); stroke-width: 2; }
header nav { display: flex; gap: 4px; overflow-x: auto; }
header nav a { padding: 6px 12px; border-radius: 8px; color: var(--ink); text-decoration: none; white-space: nowrap; }
header nav a:hover { background: var(--tag); }
header nav a[aria-current] { background: var(--accent); color: var(--on-accent); }
.person { margin-left: auto; display: flex; align-items: center; gap: 10px; white-space: nowrap; }
main { flex: 1; width: 100%; max-width: 1080px; margin: 0 auto; padding: 24px; }
main.wide { max-width: 1600px; }
footer { padding: 20px 24px; color: var(--soft); font-size: 12px; text-align: center; }

button, .button { padding: 7px 14px; border: 1px solid var(--edge); border-radius: 9px; background: var(--card); color: var(--ink); font: inherit; font-weight: 550;
  line-height: 1.4; cursor: pointer; text-decoration: none; }
button:hover { background: var(--tag); }
button.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
button.quiet { border-color: transparent; background: none; color: var(--soft); font-weight: 400; }
button.quiet:hover { background: var(--tag); color: var(--ink); }
button.approve { border-color: var(--good); background: var(--good-tag); color: var(--good); }
button.reject { border-color: var(--bad); background: var(--bad-tag); color: var(--bad); }
input, select { padding: 7px 10px; border: 1px solid var(--edge); border-radius: 9px; background: var(--card); color: var(--ink); font: inherit; min-width: 0; }
label { display: flex; flex-direction: column; gap: 4px; font-size: 13px; color: var(--soft); }
label input, label select { font-size: 15px; }
fieldset { margin: 0; padding: 0; border: 0; }
legend { padding: 0; margin-bottom: 6px; font-size: 13px; color: var(--soft); }

.card { padding: 24px; background: var(--card); border: 1px solid var(--line); border-radius: 14px; box-shadow: var(--shadow); }
.sign-in { display: flex; flex-direction: column; gap: 16px; max-width: 380px; margin: 8vh auto 0; }
.sign-in h1, .sign-in p { margin: 0; }
.notice { padding: 10px 14px; border-radius: 10px; background: var(--tag); }
.notice.good { background: var(--good-tag); color: var(--good); }
.notice.bad { background: var(--bad-tag); color: var(--bad); }
.notice.note { background: var(--note-tag); color: var(--note); }
.notice a { color: inherit; }

.filters { display: flex; flex-wrap: wrap; align-items: center; gap: 10px; margin-bottom: 20px; }
.filters .search { flex: 1 1 260px; max-width: 460px; }
.filters details { flex-basis: 100%; }
.filters summary { width: max-content; color: var(--soft); font-size: 13px; cursor: pointer; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; padding-top: 12px; }

.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 18px; margin: 0; padding: 0; list-style: none; }
.grid li { position: relative; }
.grid a { display: flex; flex-direction: column; height: 100%; overflow: hidden; border: 1px solid var(--line); border-radius: 12px; background: var(--card);
  color: inherit; text-decoration: none; box-shadow: var(--shadow); }
.grid a:hover { border-color: var(--edge); }
.grid a > .title { padding: 10px 12px 0; font-weight: 600; }
.grid a > .soft { padding: 0 12px; }
.grid a > :last-child { padding-bottom: 12px; }
.grid .picture { aspect-ratio: 3 / 4; }
.grid .badge { position: absolute; top: 8px; left: 8px; }
.grid .current a { border-color: var(--accent); box-shadow: 0 0 0 2px var(--accent); }
.picture { position: relative; display: block; overflow: hidden; background: var(--tag); }
.picture img { display: block; width: 100%; height: 100%; object-fit: cover; }
.picture .blurred { position: absolute; inset: 0; }
.picture .sharp { position: relative; color: transparent; }
.picture .missing { display: grid; place-items: center; height: 100%; min-height: 80px; padding: 12px; color: var(--soft); font-size: 13px; text-align: center; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 99px; background: var(--tag); color: var(--ink); font-size: 12px; font-weight: 600; line-height: 1.7; }
.badge.approved { background: var(--good-tag); color: var(--good); }
.badge.note { background: var(--note-tag); color: var(--note); }
.badge.rejected { background: var(--bad-tag); color: var(--bad); }
.pages { display: flex; justify-content: flex-end; gap: 12px; margin-top: 24px; }
.pages a { padding: 8px 16px; border: 1px solid var(--edge); border-radius: 9px; background: var(--card); color: var(--ink); text-decoration: none; }

.one { display: grid; grid-template-columns: minmax(0, 1.1fr) minmax(320px, 1fr); gap: 32px; align-items: start; }
.whole { margin: 0; }
.whole .picture { border-radius: 14px; }
.whole .sharp { height: auto; }
.facts { margin: 20px 0; display: grid; gap: 1px; }
.facts > div { display: grid; grid-template-columns: 110px minmax(0, 1fr); gap: 12px; padding: 7px 0; border-top: 1px solid var(--line); }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.figures .facts { display: flex; flex-wrap: wrap; gap: 10px; margin: 0 0 20px; }
.figures .facts > div { display: flex; flex-direction: column-reverse; gap: 0; padding: 10px 16px; border: 1px solid var(--line); border-radius: 12px; background: var(--card); }
.figures .facts dd { font-size: 19px; font-weight: 620; font-variant-numeric: tabular-nums; }
.history { margin: 0; padding-left: 20px; }

.decide { display: grid; gap: 14px; margin: 14px 0; }
.verdicts { display: flex; flex-wrap: wrap; gap: 8px; }
.decide fieldset { display: flex; flex-wrap: wrap; gap: 6px; }
.decide fieldset button { padding: 4px 10px; font-size: 13px; font-weight: 450; }
.decide legend { float: left; width: 100%; }

.deck { margin: 0; padding: 0; list-style: none; display: grid; gap: 32px; }
.candidate { display: grid; grid-template-columns: minmax(0, 1fr) minmax(300px, 400px); gap: 28px; align-items: start; }
.candidate + .candidate { margin-top: 24px; }
.candidate figure { margin: 0; display: grid; place-items: center; border-radius: 14px; background: var(--tag); overflow: hidden; }
.candidate .picture { display: grid; place-items: center; width: 100%; background: none; }
.candidate .picture img { width: auto; height: calc(100vh - 330px); min-height: 300px; max-width: 100%; object-fit: contain; }
.candidate .picture .blurred { inset: auto; }
.candidate h2 { margin: 0; font-size: 20px; }
.candidate .about p { margin-bottom: 8px; overflow-wrap: anywhere; }
.candidate .prompt { font-size: 13px; color: var(--soft); }
.alike { margin: 0 0 10px; font-size: 13px; color: var(--soft); }
.progress { min-height: 1.5em; margin-bottom: 10px; color: var(--soft); font-size: 13px; }
.progress .bad { color: var(--bad); }
.keys { margin-top: 12px; }
dialog { max-width: 520px; width: calc(100vw - 40px); padding: 24px; border: 1px solid var(--line); border-radius: 14px; background: var(--card); color: var(--ink); }
dialog::backdrop { background: rgb(0 0 0 / 45%); }
dialog h2 { margin-top: 0; }

.row { display: flex; flex-wrap: wrap; align-items: end; gap: 12px; margin: 0 0 20px; }
.below { margin-top: 8px; }
.matrix { font-size: 13px; text-align: center; }
.matrix caption { padding: 10px 14px; text-align: left; color: var(--soft); font-size: 12px; }
.matrix th { padding: 6px 8px; text-align: center; }
.matrix th[scope="row"] { position: sticky; left: 0; text-align: left; background: var(--card); }
.matrix thead td { border: 0; }
.matrix tbody td { padding: 0; border-left: 1px solid var(--line); }
.matrix td a { display: block; padding: 7px 6px; color: inherit; text-decoration: none; font-variant-numeric: tabular-nums; white-space: nowrap; }
.matrix td a:hover { text-decoration: underline; }
.matrix small { color: inherit; }
.matrix .full { background: var(--good-tag); color: var(--good); }
.matrix .open, .matrix .coming { background: var(--note-tag); color: var(--note); }
.matrix .empty { color: var(--soft); }

.check { flex-direction: row; align-items: center; gap: 6px; padding: 8px 0; }
.id { font: 13px/1.5 ui-monospace, monospace; color: var(--soft); overflow-wrap: anywhere; }
.line { margin: 0 0 20px; padding: 0 0 0 18px; border-left: 2px solid var(--line); list-style: none; }
.line li { position: relative; display: grid; grid-template-columns: 210px minmax(0, 1fr); gap: 14px; padding: 6px 0; overflow-wrap: anywhere; }
.line li::before { content: ""; position: absolute; left: -24px; top: 13px; width: 10px; height: 10px; border-radius: 50%; background: var(--accent); }
.line .when { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }

.scroll { position: relative; overflow-x: auto; border: 1px solid var(--line); border-radius: 12px; background: var(--card); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { padding: 10px 14px; text-align: left; font-size: 12px; font-weight: 550; color: var(--soft); white-space: nowrap; }
td { padding: 9px 14px; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }

@media (max-width: 760px) {
  body > header { flex-wrap: wrap; gap: 8px 12px; padding: 10px 14px; }
  header nav { order: 3; flex-basis: 100%; }
  .brand span { display: none; }
  main { padding: 16px 14px; }
  .grid { grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 12px; }
  .one, .candidate { grid-template-columns: minmax(0, 1fr); gap: 18px; }
  .candidate .picture img { height: 52vh; min-height: 0; }
  .candidate .prompt { display: none; }
  .deck[data-live] { padding-bottom: 90px; }
  .deck[data-live] .verdicts { position: fixed; inset: auto 0 0; z-index: 1; padding: 10px 14px; background: var(--page); border-top: 1px solid var(--line); }
  .filters { margin-bottom: 12px; }
  .line li { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts > div { grid-template-columns: 92px minmax(0, 1fr); }
  .verdicts button { flex: 1 1 30%; padding: 11px 8px; }
  .decide fieldset button { padding: 8px 12px; }
  table:not(.matrix) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table:not(.matrix) tr { display: block; padding: 8px 0; }
  table:not(.matrix) tr + tr { border-top: 1px solid var(--line); }
  table:not(.matrix) td { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 12px; padding: 3px 14px; border: 0; overflow-wrap: anywhere; }
  table:not(.matrix) td::before { content: attr(data-title); color: var(--soft); font-size: 12px; }
  kbd { display: none; }
  dialog kbd { display: inline-block; }
}
@media (prefers-reduced-motion: no-preference) {
  .picture .sharp { animation: appear .15s; }
  @keyframes appear { from { opacity: 0; } }
}
`
