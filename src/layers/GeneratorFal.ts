import { createFalClient, type FalClient } from "@fal-ai/client"
import { Clock, Effect, Fiber, Layer, Option, Redacted, Result } from "effect"
import { AccountProblem, Generator, GeneratorError, type Ticket } from "../services/Generator.ts"
import { Metrics } from "../services/Metrics.ts"
import * as Settings from "../services/Settings.ts"
import { type Exchange, exchange, makeDeadline, openConnections, type Sending } from "./fal/exchange.ts"
import * as Verdict from "./fal/verdict.ts"

/** A submit given up is a generation that may be paid for nothing, so it is given far more time than it should need. */
const SUBMIT_PATIENCE = 30_000
/** A look is free to repeat. */
const READ_PATIENCE = 10_000
/** The client's fetch connection dies after some 4 s of rest, so that each look after a pause would pay for TCP and TLS. */
const KEEP_ALIVE = 60_000
/** A submit goes out on a new connection when the open ones have rested this long: its loss would cost money, not only time. */
const RESTED = 4_000
const CONNECT_PATIENCE = 5_000
const NOBODY = "00000000-0000-0000-0000-000000000000"

const about = ({ endpoint, requestId }: Ticket) => ({ attributes: { endpoint, requestId } })

type Operation = "submit" | "progress" | "result" | "cancel" | "probe"

/**
 * fal's queue API. The client builds the requests; it never sees an answer, because it repeats whatever it believes lost or
 * busy, a submit up to three times, and hides the headers: each call below gives it a `fetch` that sends once, keeps what came
 * back for us and tells the client that all is well.
 */
export const layer = Layer.effect(
  Generator,
  Effect.gen(function* () {
    const { FAL_BASE_URL, FAL_KEY, FAL_MODEL } = yield* Settings.of("FAL_KEY", "FAL_BASE_URL", "FAL_MODEL")
    const metrics = yield* Metrics
    const credentials = Redacted.value(FAL_KEY)
    const connections = yield* Effect.acquireRelease(
      Effect.sync(() => openConnections({ keepAlive: KEEP_ALIVE, connectPatience: CONNECT_PATIENCE })),
      (open) => Effect.sync(() => open.close())
    )
    let lastUse = 0

    // A server or proxy that echoes what it was sent must not bring the key into an error.
    const secrets = [credentials, credentials.slice(credentials.indexOf(":") + 1)].filter((secret) => secret.length > 5)
    const withoutKey = (seen: Exchange): Exchange =>
      seen._tag !== "Answered"
        ? seen
        : { ...seen, text: secrets.reduce((text, secret) => text.replaceAll(secret, "[key]"), seen.text) }

    const sendingOf = (input: string | URL | Request, init: RequestInit | undefined): Sending => {
      const url = new URL(input instanceof Request ? input.url : input)
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

    const call = Effect.fnUntraced(function* <A>(
      operation: Operation,
      endpoint: string,
      ask: (fal: FalClient) => Promise<unknown>,
      verdict: (exchange: Exchange, endpoint: string) => Verdict.Verdict<A>
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
        const once: typeof fetch = async (input, init) => {
          seen = withoutKey(await exchange(connections, sendingOf(input, init), signal))
          return Response.json({})
        }
        // What the client throws, it throws before it sends: `seen` tells.
        return ask(createFalClient({ credentials, fetch: once })).catch(() => undefined)
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
          : verdict(seen, endpoint)
      yield* metrics.count("fal_requests_total", { operation, outcome: Result.isSuccess(outcome) ? "ok" : outcome.failure._tag })
      return yield* Effect.mapError(Effect.fromResult(outcome), (reason) => new GeneratorError({ reason }))
    })

    return Generator.of({
      submit: (endpoint, input) =>
        call("submit", endpoint, (fal) => fal.queue.submit(endpoint, { input }), Verdict.submitted).pipe(
          Effect.map((requestId) => ({ endpoint, requestId })),
          Effect.withSpan("Generator.submit", { attributes: { endpoint } })
        ),
      progress: (ticket) =>
        call(
          "progress",
          ticket.endpoint,
          (fal) => fal.queue.status(ticket.endpoint, { requestId: ticket.requestId }),
          Verdict.progress
        ).pipe(Effect.withSpan("Generator.progress", about(ticket))),
      result: (ticket) =>
        call(
          "result",
          ticket.endpoint,
          (fal) => fal.queue.result(ticket.endpoint, { requestId: ticket.requestId }),
          Verdict.result
        ).pipe(Effect.withSpan("Generator.result", about(ticket))),
      cancel: (ticket) =>
        call(
          "cancel",
          ticket.endpoint,
          (fal) => fal.queue.cancel(ticket.endpoint, { requestId: ticket.requestId }),
          Verdict.cancelled
        ).pipe(Effect.withSpan("Generator.cancel", about(ticket))),
      probe: call("probe", FAL_MODEL, (fal) => fal.queue.status(FAL_MODEL, { requestId: NOBODY }), Verdict.probed).pipe(
        Effect.withSpan("Generator.probe")
      )
    })
  })
)
