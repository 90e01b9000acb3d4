/** A TCP proxy that a test can break: what a network, a firewall or a moved address does to a connection. */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"
import { freePort } from "./Process.ts"

type Side = "up" | "down"
type Rule = (chunk: Buffer, side: Side, cut: () => void) => Buffer | undefined

const pass: Rule = (chunk) => chunk

/** In front of `port` on this machine, for as long as the scope lives. */
export const proxy = Effect.fnUntraced(function* (port: number) {
  const listening = yield* Effect.promise(freePort)
  const links = new Set<{ readonly sockets: ReadonlyArray<Socket>; rule: Rule }>()
  const state = { target: port, rule: pass }
  const server = createServer((client) => {
    const upstream = connect(state.target, "127.0.0.1")
    const link = { sockets: [client, upstream], rule: state.rule }
    links.add(link)
    const cut = () => {
      links.delete(link)
      for (const socket of link.sockets) socket.destroy()
    }
    const pump = (from: Socket, to: Socket, side: Side) =>
      from
        .on("data", (chunk: Buffer) => {
          const left = link.rule(chunk, side, cut)
          if (left !== undefined && to.writable) to.write(left)
        })
        .on("error", cut)
        .on("close", cut)
    pump(client, upstream, "up")
    pump(upstream, client, "down")
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(listening, "127.0.0.1", resolve))),
    () =>
      Effect.sync(() => {
        server.close()
        for (const { sockets } of links) for (const socket of sockets) socket.destroy()
      })
  )
  const swallow: Rule = () => undefined
  const toAll = (rule: Rule) =>
    Effect.sync(() => {
      for (const link of links) link.rule = rule
    })
  return {
    port: listening,
    /** What is connected now hears nothing any more, in either direction, and is told nothing: its path is gone. */
    halfOpen: toAll(swallow),
    /** So does whoever connects from now on, though it can connect. */
    silence: Effect.andThen(
      toAll(swallow),
      Effect.sync(() => {
        state.rule = swallow
      })
    ),
    /** The silence is over; who was silenced is cut off. */
    heal: Effect.sync(() => {
      state.rule = pass
      for (const { sockets } of links) for (const socket of sockets) socket.destroy()
    }),
    /** New connections go elsewhere. */
    moveTo: (target: number) =>
      Effect.sync(() => {
        state.target = target
      }),
    /** Of the next `count` answers that `which` accepts each ends in its middle, and the connection with it. */
    cutAnswers: (count: number, which: (chunk: Buffer) => boolean = () => true) => {
      let left = count
      const rule: Rule = (chunk, side, cut) => {
        if (side === "up" || left === 0 || !which(chunk)) return chunk
        left--
        setImmediate(cut)
        return chunk.subarray(0, Math.floor(chunk.length / 2))
      }
      return Effect.andThen(
        toAll(rule),
        Effect.sync(() => {
          state.rule = rule
          return () => left
        })
      )
    },
    /** As soon as a request has `words` in it, it arrives, and its answer is lost with the connection. Once. */
    loseAnswerTo: (words: string) => {
      let heard = false
      let done = false
      const rule: Rule = (chunk, side, cut) => {
        if (done) return chunk
        if (side === "up") {
          if (chunk.includes(words)) heard = true
          return chunk
        }
        if (!heard) return chunk
        done = true
        cut()
        return undefined
      }
      return Effect.andThen(
        toAll(rule),
        Effect.sync(() => {
          state.rule = rule
          return () => done
        })
      )
    }
  }
})
