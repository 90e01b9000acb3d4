import { createFalClient, type FalClient } from "@fal-ai/client"
import { Clock, Effect, Fiber, Layer, Option, Redacted, Result } from "effect"
import { Catalogue } from "../../services/Catalogue.ts"
import { AccountProblem, Generator, GeneratorError, type SaidEnded, type Ticket } from "../../services/Generator.ts"
import { type FalOperation, Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { type Answered, type Exchange, exchange, makeDeadline, openConnections, type Sending } from "./exchange.ts"
import { listen } from "./stream.ts"
import * as Verdict from "./verdict.ts"

/** A submit given up is a generation that may be paid for nothing, so it is given far more time than it should need. */
const SUBMIT_PATIENCE = 30_000
/** A look is free to repeat. */
const READ_PATIENCE = 10_000
/** fetch closes an idle connection after about 4 s; then each status request after a pause would pay for TCP and TLS. */
const KEEP_ALIVE = 60_000
/** A submit goes out on a new connection when the open ones have rested this long: its loss would cost money, not only time. */
const RESTED = 4_000
const CONNECT_PATIENCE = 5_000
const NOBODY = "00000000-0000-0000-0000-000000000000"

/**
 * How long fal is asked to keep a picture that is not copied into a media store (seconds): one year. Without the header it is "at
 * least 7 days". A null in the header makes fal delete it within minutes.
 */
const KEEP_AT_FAL = { "x-fal-object-lifecycle-preference": JSON.stringify({ expiration_duration_seconds: 31_536_000 }) }

const about = ({ endpoint, requestId }: Ticket) => ({ attributes: { endpoint, requestId } })

/** The same host, whatever the path says. */
const atPath = (url: URL, path: string) => {
  const found = new URL(url)
  const [pathname, ...search] = path.split("?")
  found.pathname = pathname ?? ""
  if (search.length > 0) found.search = search.join("?")
  return found
}

/** The stream of a status is found below it. */
const streamOf = ({ headers, url, ...rest }: Sending): Sending => {
  const stream = new URL(url)
  stream.pathname += "/stream"
  return { ...rest, url: stream.href, headers: { ...headers, accept: "text/event-stream" } }
}

/** A request id, whatever is in it, as one part of a path. */
const inPath = ({ requestId }: Ticket) => ({ requestId: encodeURIComponent(requestId) })

interface Call {
  readonly operation: FalOperation
  readonly endpoint: string
  /** Where fal said that it is to be asked, in the place of what its client makes of the endpoint's name. */
  readonly path?: string | undefined
}

/**
 * fal's queue API. The client builds the requests; it never sees an answer, because it repeats whatever it believes lost or
 * busy, a submit up to three times, and hides the headers: each call below gives it a `fetch` that sends once, keeps what came
 * back for us and tells the client that all is well.
 */
export const layer = Layer.effect(
  Generator,
  Effect.gen(function* () {
    const { FAL_BASE_URL, FAL_KEY, MEDIA_STORE } = yield* Settings.of("FAL_KEY", "FAL_BASE_URL", "MEDIA_STORE")
    const headers = Option.isNone(MEDIA_STORE) ? KEEP_AT_FAL : {}
    const { endpoints } = yield* Catalogue
    const metrics = yield* Metrics
    const credentials = Redacted.value(FAL_KEY)
    const connections = yield* Effect.acquireRelease(
      Effect.sync(() => openConnections({ keepAlive: KEEP_ALIVE, connectPatience: CONNECT_PATIENCE })),
      (open) => Effect.sync(() => open.close())
    )
    let lastUse = 0

    // A server or proxy that echoes what it was sent must not bring the key into an error.
    const secrets = [credentials, credentials.slice(credentials.indexOf(":") + 1)].filter((secret) => secret.length > 5)
    const redact = (text: string) => secrets.reduce((text, secret) => text.replaceAll(secret, "[key]"), text)
    const redacted = (answer: Answered): Answered => ({
      ...answer,
      text: redact(answer.text),
      header: (name) => {
        const value = answer.header(name)
        return value === undefined ? undefined : redact(value)
      }
    })
    const withoutKey = (seen: Exchange): Exchange =>
      seen._tag === "Answered"
        ? redacted(seen)
        : seen._tag === "Lost" && seen.begun !== undefined
          ? { ...seen, begun: redacted(seen.begun) }
          : seen

    const sendingOf = (input: string | URL | Request, init: RequestInit | undefined, path: string | undefined): Sending => {
      const built = new URL(input instanceof Request ? input.url : input)
      // fal's own address of a request outweighs the one that its client builds from the endpoint's name.
      const url = path === undefined ? built : atPath(built, path)
      const headers = Object.fromEntries(new Headers(init?.headers))
      const rest = { method: init?.method ?? "GET", body: typeof init?.body === "string" ? init.body : null }
      return Option.match(FAL_BASE_URL, {
        onNone: () => ({ ...rest, url: url.href, headers }),
        onSome: (base) => ({
          ...rest,
          url: base.replace(/\/+$/, "") + url.pathname + url.search,
          headers: { ...headers, "x-fal-original-host": url.host }
        })
      })
    }

    /** Has fal's client build a request, which is then sent in our own way. What the client throws, it throws before that. */
    const inPlace = (
      ask: (fal: FalClient) => Promise<unknown>,
      path: string | undefined,
      send: (sending: () => Sending) => Promise<void>
    ) => {
      const ours: typeof fetch = async (input, init) => {
        await send(() => sendingOf(input, init, path))
        return Response.json({})
      }
      return ask(createFalClient({ credentials, fetch: ours })).catch(() => undefined)
    }

    const call = Effect.fnUntraced(function* <A>(
      { endpoint, operation, path }: Call,
      ask: (fal: FalClient) => Promise<unknown>,
      verdict: (exchange: Exchange, endpoint: string, base?: string) => Verdict.Verdict<A>
    ) {
      const patience = operation === "submit" ? SUBMIT_PATIENCE : READ_PATIENCE
      const deadline = makeDeadline()
      // In a fiber and a signal of their own, so that time also runs out where the caller must not be interrupted.
      const alarm = yield* Effect.forkChild(Effect.andThen(Effect.sleep(patience), Effect.sync(deadline.pass)))
      const now = yield* Clock.currentTimeMillis
      if (operation === "submit" && now - lastUse > RESTED) connections.dropResting()
      let seen: Exchange | undefined
      yield* Effect.promise((interrupted) => {
        const signal = AbortSignal.any([interrupted, deadline.signal])
        return inPlace(ask, path, async (sending) => {
          seen = withoutKey(await exchange(connections, sending, signal))
        })
      }).pipe(
        Effect.onInterrupt(() => metrics.count("fal_requests_total", { operation, outcome: "Interrupted" })),
        Effect.ensuring(Fiber.interrupt(alarm))
      )

      lastUse = yield* Clock.currentTimeMillis
      const outcome: Verdict.Verdict<A> =
        seen === undefined
          ? Result.fail(
              new AccountProblem({
                status: 0,
                detail: "the name of the model is not one of fal's: owner/app is expected",
                scope: "endpoint",
                endpoint
              })
            )
          : verdict(seen, endpoint, Option.getOrUndefined(FAL_BASE_URL))
      yield* metrics.count("fal_requests_total", { operation, outcome: Result.isSuccess(outcome) ? "ok" : outcome.failure._tag })
      return yield* Effect.mapError(Effect.fromResult(outcome), (reason) => new GeneratorError({ reason }))
    })

    /** The status, as a stream of events. How it went is counted; why it did not go well makes no difference to anybody. */
    const awaitEnd = Effect.fnUntraced(function* (ticket: Ticket) {
      let told: SaidEnded | undefined
      yield* Effect.promise((interrupted) =>
        inPlace(
          (fal) => fal.queue.status(ticket.endpoint, inPath(ticket)),
          ticket.paths?.status,
          async (sending) => {
            told = await listen(connections, () => streamOf(sending()), interrupted, Verdict.told)
          }
        )
      ).pipe(Effect.onInterrupt(() => metrics.count("fal_requests_total", { operation: "stream", outcome: "Interrupted" })))
      lastUse = yield* Clock.currentTimeMillis
      yield* metrics.count("fal_requests_total", {
        operation: "stream",
        outcome: told === undefined ? "Unreachable" : "ok"
      })
      return Option.fromUndefinedOr(told)
    })

    return Generator.of({
      submit: ({ endpoint, input }) =>
        call({ operation: "submit", endpoint }, (fal) => fal.queue.submit(endpoint, { input, headers }), Verdict.submitted).pipe(
          Effect.withSpan("Generator.submit", { attributes: { endpoint } })
        ),
      progress: (ticket) =>
        call(
          { operation: "progress", endpoint: ticket.endpoint, path: ticket.paths?.status },
          (fal) => fal.queue.status(ticket.endpoint, inPath(ticket)),
          Verdict.progress
        ).pipe(Effect.withSpan("Generator.progress", about(ticket))),
      awaitEnd: (ticket) => awaitEnd(ticket).pipe(Effect.withSpan("Generator.awaitEnd", about(ticket))),
      result: (ticket) =>
        call(
          { operation: "result", endpoint: ticket.endpoint, path: ticket.paths?.result },
          (fal) => fal.queue.result(ticket.endpoint, inPath(ticket)),
          Verdict.result
        ).pipe(Effect.withSpan("Generator.result", about(ticket))),
      cancel: (ticket) =>
        call(
          { operation: "cancel", endpoint: ticket.endpoint, path: ticket.paths?.cancel },
          (fal) => fal.queue.cancel(ticket.endpoint, inPath(ticket)),
          Verdict.cancelled
        ).pipe(Effect.withSpan("Generator.cancel", about(ticket))),
      probe: call(
        { operation: "probe", endpoint: endpoints.Generate },
        (fal) => fal.queue.status(endpoints.Generate, { requestId: NOBODY }),
        Verdict.probed
      ).pipe(Effect.withSpan("Generator.probe"))
    })
  })
)
