import { Effect, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { randomUUID } from "node:crypto"
import { Audit } from "../../services/Audit.ts"
import { ModelLibrary } from "../../services/ModelLibrary.ts"
import { type Reviewed, Reviews, Verdict } from "../../services/Reviews.ts"
import { html } from "./html.ts"
import { makeAgain, taskOf } from "./makeAgain.ts"
import { act, goTo, refuse, wantsJson } from "./visit.ts"

/** Why pictures are rejected, by the key that says so. */
export const REASONS = [
  "hands or feet",
  "face",
  "anatomy",
  "clothes",
  "background",
  "not what was asked for",
  "cropped",
  "blurred or noisy",
  "looks like another"
] as const

/** The buttons that decide on a picture. `back` is where a browser without the script goes then. */
export const decisionForm = (row: Reviewed, back: string) =>
  html`<form class="decide" method="post" action="/review">
    <input type="hidden" name="model" value="${row.id}" />
    <input type="hidden" name="seen" value="${row.decision?.id}" />
    <input type="hidden" name="back" value="${back}" />
    <div class="verdicts">
      <button class="approve" name="verdict" value="approved"><kbd>A</kbd> Approve</button>
      <button class="reject" name="verdict" value="rejected"><kbd>X</kbd> Reject</button>
      ${taskOf(row) !== undefined && html`<button name="again" value="1"><kbd>M</kbd> Reject, make another</button>`}
      ${row.decision !== null && row.decision.verdict !== "undecided" && html`<button class="quiet" name="verdict" value="undecided">Take back</button>`}
    </div>
    <fieldset>
      <legend>Reject because of</legend>
      ${REASONS.map((reason, at) => html`<button name="because" value="${reason}"><kbd>${at + 1}</kbd> ${reason}</button>`)}
    </fieldset>
  </form>`

const Asked = Schema.Struct({
  id: Schema.optionalKey(Schema.String.check(Schema.isUUID())),
  model: Schema.String.check(Schema.isUUID()),
  seen: Schema.String.check(Schema.isPattern(/^([\da-f-]{36})?$/i)),
  verdict: Schema.optionalKey(Verdict),
  because: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200))),
  again: Schema.optionalKey(Schema.Literals(["1", ""])),
  back: Schema.optionalKey(Schema.String)
})
const decode = Schema.decodeUnknownEffect(Asked)

/** Only an address of ours. */
const ours = (back: string | undefined) => (back !== undefined && /^\/(review|pictures)\b[^\\]*$/.test(back) ? back : "/review")

export const route = act("/review", "curator", ({ person, request }, form) =>
  Effect.gen(function* () {
    const reviews = yield* Reviews
    const library = yield* ModelLibrary
    const audit = yield* Audit
    const asked = yield* decode(form).pipe(Effect.catch(() => refuse(400, "This is no decision.")))
    const found = yield* library.find({ id: asked.model })
    if (Option.isNone(found)) return yield* refuse(404, "This picture is not in the library any more.")
    const isRejected = asked.again === "1" || (asked.because ?? "") !== ""
    const verdict = isRejected ? "rejected" : asked.verdict
    if (verdict === undefined) return yield* refuse(400, "This is no decision.")
    const again = asked.again === "1" ? taskOf(found.value) : undefined
    const tried = yield* reviews
      .decide({
        id: asked.id ?? randomUUID(),
        modelId: found.value.id,
        verdict,
        reason: verdict === "rejected" && (asked.because ?? "") !== "" ? (asked.because ?? null) : null,
        who: person.name,
        seen: asked.seen === "" ? null : asked.seen.toLowerCase()
      })
      .pipe(Effect.catchTag("Overtaken", Effect.succeed))
    if ("_tag" in tried) {
      const { last } = tried
      const says =
        last === null
          ? "The decision before was taken back."
          : `${last.who} has ${last.verdict === "undecided" ? "taken back what was decided" : `${last.verdict} it`} meanwhile.`
      return wantsJson(request)
        ? HttpServerResponse.jsonUnsafe({ says, last }, { status: 409 })
        : goTo(`/pictures/${found.value.id}?overtaken=`)
    }
    const taskId = again === undefined ? null : yield* makeAgain(again, tried.id)
    if (taskId !== null)
      yield* audit.record({ who: person.name, action: "had it made again", subject: tried.modelId, detail: { task_id: taskId } })
    return wantsJson(request) ? HttpServerResponse.jsonUnsafe({ decision: tried, task_id: taskId }) : goTo(ours(asked.back))
  })
)
