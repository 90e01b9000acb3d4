/** Markup that may be sent as it is. Only `html` makes it, so text can never become markup by mistake. */
class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
export type Html = Markup

/** What may stand in a template: markup stays as it is, text is escaped, and nothing at all stands for nothing. */
export type Content = Html | string | number | null | undefined | false | ReadonlyArray<Content>

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (one) => entities[one]!)

const render = (content: Content): string => {
  if (content instanceof Markup) return content.text
  if (Array.isArray(content)) return content.map(render).join("")
  if (content === null || content === undefined || content === false) return ""
  return escape(String(content))
}

/** Where a value would end up outside the quotes of its attribute, or inside a script: no escaping helps there. */
const UNSAFE = /=\s*$|<(script|style)\b[^>]*>[^<]*$|\son\w+="[^"]*$/i

/** A piece of a page. Values are escaped; an attribute's value stands in double quotes. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Content>): Html => {
  let text = parts[0]!
  for (const [at, value] of values.entries()) {
    if (UNSAFE.test(parts[at]!)) throw new Error(`a value after ${JSON.stringify(parts[at]!.slice(-40))} cannot be made safe`)
    text += render(value) + parts[at + 1]!
  }
  return new Markup(text)
}

/** An address as a link or a picture may have it; a script is no address. */
export const addressOf = (text: string): string | undefined => (/^(https?:\/\/|\/(?!\/))/i.test(text) ? text : undefined)

export const document = (content: Html): string => `<!doctype html>\n${content.text}`
export const fragment = (content: Html): string => content.text

/** The query of an address, without what is empty. */
export const query = (values: Readonly<Record<string, string | ReadonlyArray<string> | null | undefined>>): string => {
  const all = Object.entries(values).flatMap(([key, value]) =>
    [value ?? ""].flat().flatMap((one) => (one === "" ? [] : [[key, one] as [string, string]]))
  )
  return all.length === 0 ? "" : `?${new URLSearchParams(all).toString()}`
}
