import { Redis } from "ioredis"

/**
 * A server that owes an answer and sends nothing for this long is taken for gone (milliseconds). With a longer time a worker
 * whose server has moved waits that much longer; with a shorter one it leaves a server that only stalls (a fork, a slow fsync).
 * Leaving a stalled server costs little: it answers the new connection's greeting when it goes on, and pending commands are sent
 * again. With a server that always takes longer no worker can work, and health says so.
 */
export const SILENCE = 2000

/**
 * The kind of a failure in one word: the server's own (NOAUTH, OOM, MISCONF), Node's (ECONNREFUSED), or ours for a message of the
 * driver.
 */
export const kindOf = (error: Error): string =>
  ("code" in error && typeof error.code === "string" ? error.code : undefined) ??
  /^[A-Z]{2,}\b/.exec(error.message)?.[0] ??
  (/timed? ?out/i.test(error.message) ? "no answer" : /closed|max retries/i.test(error.message) ? "connection lost" : "other")

/** Ends a greeting whose connection has been given up already; why is known. The driver reads some words of others as "go on". */
export const GIVEN_UP = new Error("the greeting has been given up")

/**
 * Error replies that are no failure: a script that the server does not know yet, whose text the driver then sends, and a server
 * too old for the driver's newer protocol, with which it then speaks the older one.
 */
export const isExpected = (error: Error) =>
  error === GIVEN_UP || /^(NOSCRIPT|NOPROTO)\b/.test(error.message) || /unknown command.*hello/i.test(error.message)

const none = new Error("there is no connection")
const cut = new Error("the connection was closed before the answer came")
/** Each command gets an error of its own: the driver writes into one that ends a transaction. */
const anew = (error: Error) => Object.assign(new Error(error.message), "code" in error ? { code: error.code } : {})

/** Commands that the driver sends itself while it makes a connection. */
const GREETING = /^(hello|auth|select|client|info|readonly)$/i

type Sent = Parameters<Redis["sendCommand"]>[0]

/**
 * Fails a command with what is wrong with the connection, where the driver would only say that there is none. A connection that
 * its server does not let into its database is used for nothing: the driver would go on in database 0, which is another
 * application's.
 */
export class Connection extends Redis {
  trouble: Error | undefined
  /** How long an answer may take, once the greeting is over (milliseconds). */
  silence = SILENCE
  /** Hears of every command that failed at the server or on its way. */
  onFailed: (error: Error) => void = () => {}
  /** When this connection last received anything (milliseconds, `performance.now`). */
  heardAt = 0
  /** Hears everything that the server sends, once the driver has read it. */
  onHeard: (chunk: Buffer) => void = () => {}
  /** Whether the server has put this connection into its database; where that is 0 there is nothing to be put into. */
  private inDatabase = true

  hear(chunk: Buffer) {
    this.heardAt = performance.now()
    this.onHeard(chunk)
  }

  override sendCommand(...[command, stream]: Parameters<Redis["sendCommand"]>): unknown {
    this.options.socketTimeout = this.status === "ready" ? this.silence : SILENCE
    const greets = this.status !== "ready" && GREETING.test(command.name)
    if (greets) this.greet(command)
    else if (
      (this.status === "ready" && !this.inDatabase) ||
      (this.status !== "ready" && this.options.enableOfflineQueue === false)
    ) {
      command.reject(anew(this.trouble ?? none))
      return command.promise
    }
    const { reject } = command
    command.reject = (error) => reject(error.name === "MaxRetriesPerRequestError" ? anew(this.trouble ?? cut) : error)
    command.promise.catch((error: Error) => this.onFailed(error))
    this.gather()
    return super.sendCommand(command, stream)
  }

  /** Commands of one turn of the event loop leave together, as those of several slots that end at once. */
  private gather() {
    const { stream } = this
    if (stream === undefined || stream.writableCorked > 0) return
    stream.cork()
    process.nextTick(() => stream.uncork())
  }

  private greet(command: Sent) {
    const { reject } = command
    if (/^select$/i.test(command.name)) {
      this.inDatabase = false
      command.reject = (error) => {
        const words = `database ${String(command.args[0])} is refused (${error.message})`
        reject(Object.assign(new Error(words), { code: kindOf(error) }))
      }
      command.promise.then(
        () => (this.inDatabase = true),
        (error: Error) => {
          this.trouble = error
          this.disconnect(true) // the driver would go on; made anew, it is asked again
        }
      )
    }
    // The driver asks whether the server is loading. Who may not ask (a managed Redis) hears it by the first command.
    if (/^info$/i.test(command.name))
      command.reject = (error) =>
        /^NOPERM\b/.test(error.message) ? command.resolve(Buffer.from("")) : reject(this.inDatabase ? error : GIVEN_UP)
  }
}
