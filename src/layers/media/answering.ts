/** A process that a worker starts and gives orders to. It ends with the worker's channel. */

const wordsOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

/**
 * Answers each order that comes, `broken` where `answer` rejects. `begin` is awaited first; where it fails the process ends with its
 * reason on standard error.
 */
export const answering = <Order, Answer>(
  begin: () => Promise<(order: Order) => Promise<Answer>>,
  broken: (order: Order, detail: string) => Answer
) => {
  const listen = (answer: (order: Order) => Promise<Answer>) => {
    process.on("message", (order: Order) => {
      answer(order)
        .catch((cause: unknown) => broken(order, wordsOf(cause)))
        .then((found) => process.send?.(found))
        .then(() => globalThis.gc?.()) // the files of an order would stay until the heap is full
        .catch(() => process.exit(1))
    })
    process.on("disconnect", () => process.exit(0))
    process.send?.("ready")
  }
  begin()
    .then(listen)
    .catch((cause: unknown) => {
      process.stderr.write(`${wordsOf(cause)}\n`)
      process.exit(1)
    })
}
