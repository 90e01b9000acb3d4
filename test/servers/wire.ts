/**
 * A wire between a worker and one of its servers, on which every request is seen before the server hears it. The world knows a
 * process by what it asks for alone, so a kill at any instruction between two requests is the same as a kill when the second one
 * is about to be heard. That is why the program under test needs no fail points: it is the one that production runs.
 */
import { Effect } from "effect"
import { createConnection, createServer, type Server, type Socket } from "node:net"

/** "carry" a request; "drop" it and its connection; or carry it and "lose" the answer and the connection. */
export interface Seen {
  readonly fate: "carry" | "drop" | "lose"
  /** Told the server's answer, or the first part of it. */
  readonly answered?: ((answer: string) => void) | undefined
}

/** Listens on a port of its own for as long as its scope lives, and returns it. */
export const wire = Effect.fnUntraced(function* (target: number, look: (request: string) => Seen) {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket.setNoDelay().on("error", () => {}))
    socket.once("close", () => sockets.delete(socket))
    return socket
  }
  const join = (near: Socket) => {
    keep(near)
    const far = keep(createConnection(target, "127.0.0.1"))
    const cut = () => [near, far].forEach((socket) => socket.destroy())
    let losing = false
    let waiting: Array<(answer: string) => void> = []
    near.on("data", (chunk) => {
      const { answered, fate } = look(chunk.toString("latin1"))
      if (fate === "drop") return cut()
      losing ||= fate === "lose"
      if (answered !== undefined) waiting.push(answered)
      far.write(chunk)
    })
    far.on("data", (chunk) => {
      const told = waiting
      waiting = []
      for (const tell of told) tell(chunk.toString("latin1"))
      if (losing) cut()
      else near.write(chunk)
    })
    near.once("close", () => far.end()) // what was asked for last is still heard
    far.once("close", () => near.destroy())
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer(join).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
})
