/** A browser's part in the console, without a browser. */
import { Effect } from "effect"
import { address, PASSWORD } from "./stage.ts"

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Asks as a page of the console would, with the cookie of whoever is signed in. */
export const visitor = Effect.gen(function* () {
  const base = yield* address
  let cookie = ""
  const ask = (path: string, init: RequestInit = {}): Effect.Effect<Reply> =>
    Effect.promise(async () => {
      const reply = await fetch(base + path, {
        redirect: "manual",
        ...init,
        headers: { cookie, ...(init.headers as Record<string, string> | undefined) } // only records are given here
      })
      const set = reply.headers.getSetCookie()[0]
      if (set !== undefined) cookie = set.split(";")[0]!
      return { status: reply.status, headers: reply.headers, text: await reply.text() }
    })
  const post = (
    path: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = { "sec-fetch-site": "same-origin" }
  ) => ask(path, { method: "POST", body: new URLSearchParams(form), headers })
  const signIn = (name: string, password = PASSWORD) => post("/sign-in", { name, password })
  return { base, ask, post, signIn, cookie: () => cookie }
})
