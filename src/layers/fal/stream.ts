import * as Sse from "effect/encoding/Sse"
import { type Answered, answered, type Connections, open, type Sending } from "./exchange.ts"

/** The most of one event that is kept, in characters: a status takes some hundred, and its logs are not asked for. */
const LONGEST_EVENT = 64 * 1024
/** The most of a stream that is read: a request that waits behind thousands of others tells of each step. */
const LONGEST_STREAM = 4 * 1024 * 1024
/**
 * fal closes a stream after its last event, and its connection is then free for the result: waited for this long (milliseconds).
 */
const CLOSING = 10

/**
 * Reads a stream of events until `read` makes something of one: `undefined` when the stream is refused, breaks, ends before that
 * or is longer than we read. Never rejects. It has no end of its own but `signal`'s.
 */
export const listen = <A>(
  connections: Connections,
  sending: () => Sending,
  signal: AbortSignal,
  read: (event: Answered) => A | undefined
): Promise<A | undefined> =>
  new Promise<A | undefined>((resolve) => {
    let found: A | undefined
    const over = () => resolve(found)
    open(connections, sending(), signal, (answer) => {
      const { "content-encoding": encoding = "identity", "content-type": type = "" } = answer.headers
      const { statusCode = 0 } = answer
      const isStream = statusCode >= 200 && statusCode < 300 && encoding === "identity" && /^text\/event-stream\b/i.test(type)
      const parser = Sse.makeParser(
        (event) => {
          if (event._tag !== "Event" || found !== undefined) return
          found = read(answered(answer, { text: event.data, cut: false }))
          if (found !== undefined) setTimeout(() => answer.destroy(), CLOSING)
        },
        { maxEventSize: LONGEST_EVENT }
      )
      let length = 0
      answer.setEncoding("utf8")
      answer.on("data", (chunk: string) => {
        length += chunk.length
        // A short refusal is read to its end, so that its connection can be used again.
        const isTooLong = isStream ? parser.feed(chunk) !== undefined || length > LONGEST_STREAM : length > LONGEST_EVENT
        if (isTooLong) answer.destroy()
      })
      // The last event may lack the empty line that ends it.
      answer.on("end", () => isStream && parser.feed("\n\n"))
      answer.on("error", over)
      answer.on("close", over)
    }).on("error", over)
  }).catch(() => undefined) // a header or an address that cannot be sent
