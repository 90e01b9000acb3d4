import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"

/** What happens to a call on its way into the world and back. */
export type Passage = <A, E>(name: string, call: Effect.Effect<A, E>, args: ReadonlyArray<unknown>) => Effect.Effect<A, E>

/** The same service with every effect of it going through `passage`. */
export const through = <S extends object>(service: S, passage: Passage): S =>
  Object.fromEntries(
    Object.entries(service).map(([name, member]: [string, unknown]) => [
      name,
      Effect.isEffect(member)
        ? passage(name, member as Effect.Effect<unknown, unknown>, [])
        : (...args: ReadonlyArray<unknown>) =>
            passage(name, (member as (...all: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)(...args), args)
    ])
  ) as S // every member of our services is an effect or a function that gives one

/** A worker's HTTP server, without a socket. */
export const silentHttp = Layer.provideMerge(
  Layer.succeed(
    HttpServer.HttpServer,
    HttpServer.make({ serve: () => Effect.void, address: { _tag: "TcpAddress", hostname: "127.0.0.1", port: 0 } as never }) // never looked at
  ),
  HttpServer.layerServices
)
