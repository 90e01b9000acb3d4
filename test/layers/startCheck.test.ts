import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { check } from "../../src/layers/process/startCheck.ts"
import * as Settings from "../../src/services/Settings.ts"
import { settings } from "../support.ts"

it.effect("a start with wrong settings names all of them in one message, and what a misspelt name was meant to be", () =>
  Effect.gen(function* () {
    const env = {
      CELERY_BROKER_ULR: "redis://h/4",
      CELERY_RESULT_BACKEND: "redis://:hunter2@h/celery",
      DATABASE_URL: "mysql://u:hunter2@h/d",
      FAL_KEY: "key:secret"
    }
    const wrong = yield* Effect.flip(check(Settings.names, Object.keys(env))).pipe(
      Effect.provide(settings({ CELERY_BROKER_URL: "", ...env }))
    )
    const { message } = wrong
    assert.match(message, /CELERY_BROKER_URL is not set/)
    assert.match(message, /CELERY_BROKER_ULR is not a setting and is ignored: did you mean CELERY_BROKER_URL\?/)
    assert.match(message, /CELERY_RESULT_BACKEND names the database "celery"/)
    assert.match(message, /DATABASE_URL expects postgresql:\/\//)
    assert.notInclude(message, "hunter2")
    assert.strictEqual(message.split("\n").length, 5)
  })
)
