import { Effect, Option, Schema } from "effect"
import { Fault } from "./Fault.ts"
import { type Asked, json } from "./HttpReply.ts"
import { Change } from "./SimulatorSettings.ts"
import { ledger, type World } from "./World.ts"

const FaultList = Schema.fromJsonString(Schema.Union([Fault, Schema.Array(Fault)]))
const Jump = Schema.fromJsonString(Schema.Struct({ seconds: Schema.Finite }))
const readFaults = Schema.decodeUnknownOption(FaultList, { onExcessProperty: "error" })
const readChange = Schema.decodeUnknownOption(Schema.fromJsonString(Change), { onExcessProperty: "error" })
const readJump = Schema.decodeUnknownOption(Jump)

const misread = (what: string) => json(400, { detail: `that is not ${what}: model-generator fal-simulator --help lists them` })

/** The simulator's own routes, under `/_sim`: inspection and control. They need no key. */
export const control = Effect.fnUntraced(function* (world: World, asked: Asked) {
  const body = asked.body.toString("utf8")
  switch (`${asked.method} ${asked.url.pathname}`) {
    case "GET /_sim/ledger":
      return json(200, { ledger: (yield* ledger(world)).map((row) => ({ ...row })), calls: { ...world.calls } })
    case "GET /_sim/faults":
      return json(
        200,
        world.faults.list().map((fault) => ({ ...fault }))
      )
    case "POST /_sim/faults": {
      const faults = readFaults(body)
      if (Option.isNone(faults)) return misread("a fault or a list of faults")
      world.faults.add("kind" in faults.value ? [faults.value] : faults.value)
      return json(
        200,
        world.faults.list().map((fault) => ({ ...fault }))
      )
    }
    case "DELETE /_sim/faults":
      world.faults.clear()
      return json(200, [])
    case "GET /_sim/settings":
      return json(200, { ...world.settings })
    case "PUT /_sim/settings": {
      const change = readChange(body)
      if (Option.isNone(change)) return misread("a change of settings")
      yield* ledger(world) // what was due under the old settings happens under them
      world.configure(change.value)
      return json(200, { ...world.settings })
    }
    case "POST /_sim/jump": {
      const jump = readJump(body)
      if (Option.isNone(jump)) return misread("a jump of the clock")
      world.jump(jump.value.seconds * 1000)
      return json(200, { now: yield* world.now })
    }
    default:
      return json(404, { detail: "GET /_sim/ledger; GET, POST, DELETE /_sim/faults; GET, PUT /_sim/settings; POST /_sim/jump" })
  }
})
