import { type Agent, request } from "undici"

/** An HTTP answer, read to its last byte. */
export interface Answered {
  readonly _tag: "Answered"
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly text: string
}
/** How one HTTP request went. Only `NotSent` is proof that fal has seen nothing of it. */
export type Exchange =
  | Answered
  | { readonly _tag: "NotSent"; readonly detail: string }
  | { readonly _tag: "Lost"; readonly detail: string }

interface Problem {
  readonly code?: unknown
  readonly syscall?: unknown
  readonly errors?: unknown
}

// Node marks what failed before the first byte: name resolution, connecting (one error for each address), the TLS handshake.
const beforeSending = (problem: Problem): boolean =>
  problem.syscall === "connect" ||
  problem.syscall === "getaddrinfo" ||
  (typeof problem.code === "string" &&
    /^(UND_ERR_CONNECT_TIMEOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(
      problem.code
    )) ||
  (Array.isArray(problem.errors) && problem.errors.length > 0 && problem.errors.every(beforeSending))

// Only codes and our own words: a driver's message may hold more than a log should.
const failed = (error: unknown): Exchange => {
  const problem: Problem = typeof error === "object" && error !== null ? error : {}
  const code = typeof problem.code === "string" ? problem.code : "the connection broke"
  return beforeSending(problem)
    ? { _tag: "NotSent", detail: `cannot connect (${code})` }
    : { _tag: "Lost", detail: `answer lost (${code})` }
}

export interface Sending {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string | null
}

/** The reason to abort with when time is up; any other means that nobody waits for the answer any more. */
const timeIsUp = new Error("no answer in time")

/** A signal that says when to stop waiting, and the way to say so. */
export const makeDeadline = () => {
  const controller = new AbortController()
  return { signal: controller.signal, pass: () => controller.abort(timeIsUp) }
}

/**
 * Sends once and reads the whole answer. Never rejects. undici's `request` follows no redirect and repeats nothing, which its
 * `fetch` would.
 */
export const exchange = async (agent: Agent, { url, ...sending }: Sending, signal: AbortSignal): Promise<Exchange> => {
  try {
    // undici's own type lists the methods; the client sends GET, POST and PUT.
    const method = sending.method as "GET" | "POST" | "PUT"
    const answer = await request(url, { ...sending, method, dispatcher: agent, signal })
    const text = await answer.body.text()
    return {
      _tag: "Answered",
      status: answer.statusCode,
      header: (name) => {
        const value = answer.headers[name]
        return typeof value === "string" ? value : value?.[0]
      },
      text
    }
  } catch (error) {
    return signal.reason === timeIsUp ? { _tag: "Lost", detail: timeIsUp.message } : failed(error)
  }
}
