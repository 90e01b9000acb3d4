/** One picture and its texts. `data` holds the picture itself, so that the page works without other files. */
export interface Exhibit {
  readonly title: string
  readonly about: string
  readonly name: string
  readonly data: string
  /** What a click on the picture opens. */
  readonly opens?: string
  readonly prompt: string
  /** Which picture this one was edited from. */
  readonly editedFrom: string | null
}

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;")

/** A template's name has no spaces: it may be broken after its underscores. */
const breakable = (name: string) => escape(name).replaceAll("_", "_<wbr>")

const style = `
  :root { color-scheme: light dark; --page: #f5f4f1; --card: #fff; --ink: #1d1c1a; --soft: #6d6a64; --line: #e3e0da; --tag: #efede8; }
  @media (prefers-color-scheme: dark) {
    :root { --page: #151517; --card: #1f1f22; --ink: #ecebe8; --soft: #a09d97; --line: #313135; --tag: #2b2b2f; }
  }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
  header, main, footer { max-width: 1280px; margin: 0 auto; padding: 0 24px; }
  header { padding-top: 40px; padding-bottom: 24px; }
  h1 { margin: 0; font-size: 28px; font-weight: 650; letter-spacing: -0.02em; }
  header p { margin: 6px 0 0; color: var(--soft); max-width: 72ch; }
  main { display: grid; grid-template-columns: repeat(auto-fill, minmax(178px, 1fr)); gap: 18px; }
  figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
  img { display: block; width: 100%; aspect-ratio: 3 / 4; object-fit: cover; background: var(--tag); }
  figcaption { padding: 12px 14px 14px; }
  h2 { margin: 0; font-size: 15px; font-weight: 600; }
  figcaption p { margin: 2px 0 0; color: var(--soft); font-size: 13px; }
  figcaption .name { margin-top: 8px; font: 11px/1.5 ui-monospace, monospace; }
  details { margin-top: 8px; color: var(--soft); font-size: 12px; }
  summary { cursor: pointer; }
  input { margin-top: 14px; width: min(100%, 420px); padding: 9px 12px; font: inherit; color: inherit; background: var(--card);
    border: 1px solid var(--line); border-radius: 10px; }
  [hidden] { display: none; }
  footer { padding-top: 28px; padding-bottom: 40px; color: var(--soft); font-size: 13px; }`

const image = ({ data, opens, prompt }: Exhibit) => {
  const img = `<img src="${escape(data)}" alt="${escape(prompt)}" loading="lazy">`
  // Any other scheme could be a script.
  return opens === undefined || !/^(https?|file):/i.test(opens) ? img : `<a href="${escape(opens)}">${img}</a>`
}

const card = (exhibit: Exhibit) => `
    <figure>
      ${image(exhibit)}
      <figcaption>
        <h2>${escape(exhibit.title)}</h2>
        <p>${escape(exhibit.about)}</p>
        <p class="name">${breakable(exhibit.name)}</p>${
          exhibit.editedFrom === null ? "" : `\n        <p class="name">edited from ${breakable(exhibit.editedFrom)}</p>`
        }
        <details><summary>Prompt</summary>${escape(exhibit.prompt)}</details>
      </figcaption>
    </figure>`

/** From this number on the page has a field that looks for words. */
const MANY = 24
const search = `
    <input type="search" placeholder="Filter: female walking casual" aria-label="Filter">
    <script>
      document.querySelector("input").addEventListener("input", (event) => {
        const words = event.target.value.toLowerCase().split(/\\s+/)
        for (const figure of document.querySelectorAll("figure")) {
          const text = figure.textContent.toLowerCase().split(/[\\s,_]+/)
          figure.hidden = !words.every((word) => text.some((one) => one.startsWith(word)))
        }
      })
    </script>`

/** A page of pictures that needs nothing but itself. */
export const gallery = (title: string, about: string, foot: string, exhibits: ReadonlyArray<Exhibit>): string => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${escape(title)}</title>
  <style>${style}
  </style>
</head>
<body>
  <header>
    <h1>${escape(title)}</h1>
    <p>${escape(about)}</p>${exhibits.length >= MANY ? search : ""}
  </header>
  <main>${exhibits.map(card).join("")}
  </main>
  <footer>${escape(foot)}</footer>
</body>
</html>
`
