import { type Content, html } from "./html.ts"

export const taskAddress = (id: string) => `/tasks/${encodeURIComponent(id)}`
/** An address has no place for every id: a dot alone, or two, would be another place. */
export const linked = (id: string): Content => (/^\.*$/.test(id) ? id : html`<a href="${taskAddress(id)}">${id}</a>`)
