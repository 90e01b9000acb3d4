/** Where our worker differs from stock Celery on purpose; docs/differences.md says why, under the same names. */
import { isDeepStrictEqual } from "node:util"
import type { Difference } from "./compare.ts"

export type Version = "5.3" | "5.6" | "5.7"
interface Explained {
  /** A heading in docs/differences.md. */
  readonly name: string
  /** The versions that it is of, where Celery's own versions differ too. */
  readonly of?: ReadonlyArray<Version>
  readonly covers: (difference: Difference) => boolean
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const same = isDeepStrictEqual
const without = (value: unknown, ...types: ReadonlyArray<string>) => list(value).filter((one) => !types.includes(String(one)))
/** The states after the start, which is told only with `task_track_started`. */
const begun = (states: unknown) => without(states, "STARTED")
const isOfOneCase = (one: unknown, other: unknown) => String(one).split(".")[0] === String(other).split(".")[0]
/** A shown value without its brackets. */
const unclosed = (text: unknown) =>
  String(text)
    .replaceAll(/[[\](){},]|\.\.\./g, "")
    .trim()
/** Of a result tuple, whatever its own id. */
const members = (tuple: unknown) => list(tuple)[1]
const status = (value: unknown) => (typeof value === "object" && value !== null && "status" in value ? value.status : undefined)
const ignored = ({ message }: Difference) =>
  (message?.["headers"] as Record<string, unknown> | undefined)?.["ignore_result"] === true

/** Ours tells that a message could not be run; stock says nothing. */
const told = ({ at, ours, stock }: Difference) =>
  (at === "states" && same(stock, []) && same(ours, ["FAILURE"])) ||
  (at === "document" && stock === undefined && status(ours) === "FAILURE") ||
  (at === "events" && same(stock, []) && same(ours, ["failed"]))
/** Whole tasks that only ours ran: their errbacks. */
const onlyOurs = ({ at, stock }: Difference) => stock === undefined || same(stock, []) || (at === "left" && stock === 0)

const refused = [
  "body_not_json",
  "no_task",
  "no_headers",
  "expires_a_number",
  "text_plain",
  "pickled",
  "yaml",
  "unknown_compression",
  "half_packed"
]

export const explained: ReadonlyArray<Explained> = [
  {
    name: "A failure has no traceback",
    covers: ({ at, ours, stock }) => at === "document.traceback" && stock === "text" && ours === null
  },
  {
    name: "A message we send says who pays",
    covers: ({ at, stock }) => at.endsWith(".headers.x-caller") && stock === undefined
  },
  {
    name: "What cannot be run is answered",
    covers: (difference) =>
      refused.some((bend) => difference.kind === `bent_${bend}`) &&
      (told(difference) || (difference.task.includes("!") && onlyOurs(difference)))
  },
  {
    name: "A value of an unknown type is left to the task",
    covers: (difference) => difference.kind === "bent_unknown_type" && onlyOurs(difference)
  },
  {
    name: "An errback is always sent",
    covers: (difference) =>
      difference.kind === "link_error_called_in_place" && difference.task.includes("!") && onlyOurs(difference)
  },
  {
    name: "The hard limit is told once",
    covers: ({ at, kind, ours, stock }) =>
      kind === "hard_limit" &&
      ((at === "states" && same(begun(stock), ["FAILURE", "FAILURE"]) && same(begun(ours), ["FAILURE"])) ||
        (at === "event failed.exception" && stock === "ExceptionWithTraceback()" && ours === "TimeLimitExceeded(0.5)"))
  },
  {
    name: "What is sent is JSON",
    covers: ({ at, kind, stock }) =>
      kind === "optioned" &&
      ((at === "left.body" && typeof stock === "string") ||
        (at === "left.content-type" && stock === "application/x-python-serialize") ||
        (at === "left.content-encoding" && stock === "binary"))
  },
  {
    name: "bzip2 and xz are read and not written",
    covers: ({ at, kind, stock }) => kind === "optioned" && at === "left.headers.compression" && stock === "application/x-bz2"
  },
  {
    name: "A task that waits for its time is received when its time has come",
    covers: ({ at, ours, stock }) =>
      at === "events" && list(stock).includes("received") && same(without(stock, "received"), without(ours, "received"))
  },
  {
    name: "The events of a retry keep their order",
    covers: ({ at, ours, stock }) => at === "events" && same(list(stock).toSorted(), list(ours).toSorted())
  },
  {
    name: "A result that is ignored stays ignored after a retry",
    covers: (difference) =>
      ignored(difference) &&
      difference.kind.startsWith("retried") &&
      /^(states|document.*|left\.headers\.ignore_result)$/.test(difference.at)
  },
  {
    name: "A retry is the message itself, sent again",
    covers: ({ at, kind }) =>
      kind !== "optioned" &&
      /^left\.(headers\.(argsrepr|kwargsrepr|compression|root_id)|properties\.(origin|expiration))$/.test(at)
  },
  {
    name: "What the message does not say of itself is filled in",
    covers: ({ at, kind, stock }) =>
      (kind === "bent_minimal" || kind === "protocol1") &&
      /^event received\.(args|kwargs|root_id)$/.test(at) &&
      (stock === null || stock === "")
  },
  {
    name: "A time of protocol 1 is told to the millisecond",
    covers: ({ at, kind }) => kind === "protocol1" && /^event received\.(eta|expires)$/.test(at)
  },
  {
    name: "The body of a failed chord has no children",
    covers: ({ at, kind, ours }) =>
      (kind === "chord_failing" || kind === "nested") && at === "document.children" && same(ours, [])
  },
  {
    name: "A canvas inside a canvas that fails is told to all who wait",
    covers: ({ at, kind, ours, stock, task }) =>
      kind === "canvas_of_canvases_that_may_fail"
        ? // Whatever went well with stock has gone well with ours, to the same result.
          !(
            at === "document.result" ||
            (at === "document.status" && stock === "SUCCESS") ||
            (at === "document" && status(stock) === "SUCCESS")
          )
        : (at === "key.content" && /canvas_of_canvases_that_may_fail \S+\.j$/.test(task)) ||
          // A failure nobody waits for.
          (/^unknown [0-9a-f]{8}-/.test(task) &&
            ((at === "document" && status(stock) === "FAILURE" && ours === undefined) ||
              (at === "states" && same(stock, ["FAILURE"]) && same(ours, []))))
  },
  {
    name: "The parent of a chord's body is the task that ended last",
    covers: ({ at, kind, ours, stock }) =>
      /^(chord|nested|link_of|odd_numbers|canvas_of|optioned)/.test(kind) &&
      /^(document|event received|left\.headers)\.(parent_id|root_id)$/.test(at) &&
      isOfOneCase(stock, ours)
  },
  {
    name: "The event of an unregistered task has a traceback",
    covers: ({ at, stock }) => at === "event failed.traceback" && stock === undefined
  },
  {
    name: "The result of an unregistered task says which it was",
    covers: ({ at, kind, stock }) =>
      kind === "unknown" && /^document\.(name|args|kwargs|worker|retries|queue)$/.test(at) && stock === null
  },
  {
    name: "Values are shown as JSON has them",
    covers: ({ at, kind }) => kind === "extended" && /^(event succeeded\.result|document\.(result|args))$/.test(at)
  },
  {
    name: "The arguments of a message we send are shown as a tuple",
    covers: ({ at, ours, stock }) =>
      /^(event received\.args|left\.headers\.argsrepr)$/.test(at) &&
      String(stock).startsWith("[") &&
      same(String(stock).replace(/^\[/, "").replace(/\]$/, ""), String(ours).replace(/^\(/, "").replace(/,?\)$/, ""))
  },
  {
    name: "Celery 5.3: the header of a chord deep in a canvas gets another id",
    of: ["5.3"],
    covers: ({ at, kind, ours, stock }) =>
      kind === "canvas_of_canvases" &&
      (at === "document.group_id"
        ? isOfOneCase(stock, ours)
        : at === "document.children" && same(list(stock).map(members), list(ours).map(members)))
  },
  {
    name: "Celery 5.6: `date_done` has an offset",
    of: ["5.6", "5.7"],
    covers: ({ at, ours, stock }) => at === "document.date_done" && stock === `${String(ours)}+00:00`
  },
  {
    name: "Celery 5.6: nothing is stored of a task whose result is ignored",
    of: ["5.6", "5.7"],
    covers: (difference) => ignored(difference) && /^(states|document)$/.test(difference.at) && onlyOurs(difference)
  },
  {
    name: "Celery 5.6: the body of a chord is a member of its group",
    of: ["5.6", "5.7"],
    covers: ({ at, kind }) =>
      /^(document\.(group_id|fields)|left\.headers\.group)$/.test(at) &&
      /^(chord|nested|link_of|odd_numbers|canvas_of|optioned)/.test(kind)
  },
  {
    name: "Celery 5.6: the order to revoke stores REVOKED itself",
    of: ["5.6", "5.7"],
    covers: ({ at, kind, ours, stock }) =>
      (kind === "revoked" || kind === "terminated") &&
      ((at === "states" && same(begun(stock), ["REVOKED", "REVOKED"]) && same(begun(ours), ["REVOKED"])) ||
        at === "document.children" ||
        (at === "document.result.exc_message" && same(stock, ["revoked"])))
  },
  {
    name: "Celery 5.6: queues are declared with deadlines",
    of: ["5.6", "5.7"],
    covers: ({ at, ours, task }) =>
      at === "key" && /^broker _kombu\.binding_(deadlines|permanent)/.test(task) && ours === undefined
  },
  {
    name: "Celery 5.7: the end of a chord is claimed with keys of its own",
    of: ["5.7"],
    covers: ({ at, ours, stock, task }) =>
      at === "key" &&
      task.startsWith("backend celery-taskset-meta-") &&
      ((/\.[cd]$/.test(task) && ours === undefined) || (/\.[ts]$/.test(task) && stock === undefined))
  },
  {
    name: "Celery 5.7: the body of a chord in a link has another parent",
    of: ["5.7"],
    covers: (difference) =>
      difference.kind === "link_of_a_canvas" &&
      difference.task.includes("!") &&
      (onlyOurs(difference) || difference.ours === undefined || same(difference.ours, []) || difference.ours === 0)
  },
  {
    name: "Celery 5.7: a value that is cut is closed as it was opened",
    of: ["5.7"],
    covers: ({ at, ours, stock }) =>
      /^(event received\.(kw)?args|event succeeded\.result|left\.headers\.(kw)?argsrepr)$/.test(at) &&
      String(stock).includes("...") &&
      same(unclosed(stock), unclosed(ours))
  },
  {
    name: "Celery 5.7: the hard limit sends two events",
    of: ["5.7"],
    covers: ({ at, kind, ours, stock }) => kind === "hard_limit" && at === "events" && same(stock, [...list(ours), "failed"])
  }
]
