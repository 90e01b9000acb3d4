import type { JsonSchema, Task } from "./contract.ts"
import { presets, results, returned, tasks } from "./contract.ts"
import * as failures from "./failures.ts"

const HEAD = '"""Written by `npm run clients`."""\n\nfrom __future__ import annotations\n'

/** A JSON value as Python writes it. */
const literal = (value: unknown, indent = ""): string => {
  if (value === null) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  if (typeof value !== "object") return JSON.stringify(value)
  const inner = `${indent}    `
  const [opening, closing, lines] = Array.isArray(value)
    ? ["[", "]", value.map((one) => `${inner}${literal(one, inner)},\n`)]
    : ["{", "}", Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}: ${literal(one, inner)},\n`)]
  return lines.length === 0 ? `${opening}${closing}` : `${opening}\n${lines.join("")}${indent}${closing}`
}

/** The names of the closed lists. */
const aliases: Readonly<Record<string, string>> = { gender: "Gender", body_type: "BodyType", pose: "Pose", style: "Style" }
const primitives: Readonly<Record<string, string>> = { string: "str", integer: "int", number: "float", boolean: "bool" }
const isNull = ({ type }: JsonSchema) => type === "null"

const isNullable = (schema: JsonSchema) => schema.anyOf?.some(isNull) ?? false

const typeOf = (name: string, schema: JsonSchema): string => {
  if (schema.anyOf !== undefined) {
    const some = schema.anyOf.filter((one) => !isNull(one)).map((one) => typeOf(name, one))
    const all = some.length === 1 ? some.join("") : `Union[${some.join(", ")}]`
    return isNullable(schema) ? `Optional[${all}]` : all
  }
  if (schema.enum !== undefined) return aliases[name] ?? `Literal[${schema.enum.map((one) => JSON.stringify(one)).join(", ")}]`
  if (schema.type === "array") return `Sequence[${name === "templates" ? "Template" : typeOf(name, schema.items ?? {})}]`
  if (schema.type === "object") return name === "model" ? "Union[Picture, Model]" : "Dict[str, Any]"
  return primitives[schema.type ?? ""] ?? "Any"
}

const kinds = {
  s: { gives: "Signature", says: "A signature for a chain, a group or a chord; a chain may bring its first argument." },
  si: { gives: "Signature", says: "A signature that takes nothing from the task before it in a chain." },
  delay: { gives: "Result", says: "Sends the task." }
} as const

const method = (kind: keyof typeof kinds, name: string, { request, result }: Task) => {
  const { properties = {}, required = [] } = request
  const entries = Object.entries(properties)
  const needed = entries.filter(([key]) => required.includes(key)).map(([key, one]) => `${key}: ${typeOf(key, one)}`)
  const optional = entries
    .filter(([key]) => !required.includes(key))
    .map(([key, one]) => `${key}: ${isNullable(one) ? typeOf(key, one) : `Optional[${typeOf(key, one)}]`} = None`)
  const parameters = entries.length === 0 ? "self" : ["self", "*", ...needed, ...optional].join(",\n        ")
  const listed = entries.length === 0 ? parameters : `\n        ${parameters},\n    `
  const values = entries.map(([key]) => `\n            "${key}": ${key},`).join("")
  const { gives, says } = kinds[kind]
  return `    def ${kind}(${listed}) -> ${gives}[${result}]:
        """${says}"""
        arguments: Dict[str, Any] = {${values}${entries.length === 0 ? "" : "\n        "}}
        call = signature("${name}", arguments, immutable=${kind === "s" ? "False" : "True"})
        return cast("${gives}[${result}]", call${kind === "delay" ? ".delay()" : ""})
`
}

const typedDict = (name: string, schema: JsonSchema, options: { readonly says: string; readonly named?: typeof typeOf }) => {
  const { properties = {}, required = [] } = schema
  const of = options.named ?? typeOf
  const field = ([key, one]: readonly [string, JsonSchema]) => `    ${key}: ${of(key, one)}\n`
  const must = Object.entries(properties).filter(([key]) => required.includes(key))
  const may = Object.entries(properties).filter(([key]) => !required.includes(key))
  const base = may.length === 0 ? "TypedDict" : `_${name}`
  const optional = may.length === 0 ? "" : `class _${name}(TypedDict, total=False):\n${may.map(field).join("")}\n\n`
  return `${optional}class ${name}(${base}):\n    """${options.says}"""\n\n${must.map(field).join("")}`
}

/** The types of a result: its lists are lists, and its parts have names. */
const resultType = (key: string, schema: JsonSchema): string => {
  if (key === "checks") return "Checks"
  if (schema.type === "array") return `List[${resultType(key, schema.items ?? {})}]`
  if (schema.enum !== undefined) return `Literal[${schema.enum.map((one) => JSON.stringify(one)).join(", ")}]`
  if (schema.anyOf !== undefined)
    return `Optional[${schema.anyOf.filter((one) => !isNull(one)).map((one) => resultType(key, one))}]`
  return primitives[schema.type ?? ""] ?? "Any"
}

const resultsFile = () => {
  const checks = results.Health.properties?.["checks"]
  const check = checks?.properties?.["redis"]
  return [
    `${HEAD}\nfrom typing import Any, List, Literal, Optional, TypedDict\n`,
    typedDict("Picture", results.Picture, { says: "What `generate_model` and `edit_model` give.", named: resultType }),
    typedDict("Batch", results.Batch, { says: "What `batch_generate` gives.", named: resultType }),
    typedDict("Check", check ?? {}, { says: "How a dependency of the worker looks.", named: resultType }),
    typedDict("Checks", checks ?? {}, { says: "What a worker depends on.", named: () => "Check" }),
    typedDict("Health", results.Health, { says: "What `health_check` gives.", named: resultType })
  ].join("\n\n")
}

const classOf = (task: string) => task.replace(/(^|_)(\w)/g, (_, __, letter: string) => letter.toUpperCase())
const says: Readonly<Record<string, string>> = {
  generate_model: "Makes one picture and saves it as a template's next version.",
  edit_model: "Edits a picture from a prompt and saves it as the next version of the same template.",
  batch_generate: "Sends many `generate_model` tasks; by default the combinations the library lacks.",
  health_check: "Says how Redis, PostgreSQL and fal look from the worker."
}

const tasksFile = () => {
  const literals = Object.entries(aliases).map(
    ([name, alias]) => `${alias} = Literal[${presets[name as keyof typeof presets].map((one) => JSON.stringify(one)).join(", ")}]`
  )
  const template = tasks["batch_generate"]?.request.properties?.["templates"]?.anyOf?.[0]?.items
  const classes = Object.entries(tasks).map(
    ([name, task]) =>
      `class ${classOf(name)}:\n    """${says[name]}"""\n\n    name = "${name}"\n\n` +
      (["s", "si", "delay"] as const).map((kind) => method(kind, name, task)).join("\n")
  )
  return [
    `${HEAD}\nfrom typing import Any, Dict, Literal, Optional, Sequence, TypedDict, Union, cast\n\nfrom .calls import Result, Signature, signature\nfrom .results import Batch, Health, Picture\n\n${literals.join("\n")}\n`,
    typedDict("Model", returned, { says: "A picture to edit, as far as `edit_model` looks at it." }),
    typedDict("Template", template ?? {}, { says: "One picture of a batch." }),
    ...classes,
    `${Object.keys(tasks)
      .map((name) => `${name} = ${classOf(name)}()`)
      .join("\n")}\n`
  ].join("\n\n")
}

const errorsFile = () =>
  [
    `${HEAD}
import re
from typing import Dict, Literal


class TaskError(Exception):
    """A task of the worker failed. Celery makes the class that the worker named, if this module is imported."""

    retry: Literal["yes", "changed", "no"] = "no"
    """Whether the same call may succeed as a new task; \`changed\`: only with other arguments."""
`,
    ...Object.entries(failures.ours).map(([name, { retry, says: text }]) => {
      const fields =
        name === "ValidationError"
          ? `
    @property
    def fields(self) -> Dict[str, str]:
        """What is wrong, by the path of each argument, as in \`templates.0.gender\`."""
        found = re.split(r"(?:^|; )([\\w.-]+): ", str(self))
        return dict(zip(found[1::2], found[2::2]))
`
          : ""
      return `class ${name}(TaskError):\n    """${text}"""\n\n    retry = "${retry}"\n${fields}`
    })
  ].join("\n\n")

const contractFile = (version: string, contract: string, prices: unknown) => {
  const known = Object.fromEntries(
    Object.entries(tasks).map(([name, { names, request }]) => [
      name,
      {
        arguments: names,
        request,
        ...(name === "edit_model" ? { model: returned } : {}),
        ...(name === "generate_model" ? { presets } : {})
      }
    ])
  )
  const advice = Object.fromEntries(
    Object.entries({ ...failures.ours, ...failures.stock }).map(([name, { retry, unless = [] }]) => [name, { retry, unless }])
  )
  return (
    `${HEAD}\nfrom typing import Any, Dict\n\nVERSION = "${version}"\nCONTRACT = "${contract}"\n\n` +
    `TASKS: Dict[str, Dict[str, Any]] = ${literal(known)}\n\nFAILURES: Dict[str, Dict[str, Any]] = ${literal(advice)}\n\n` +
    `PRICES: Dict[str, Dict[str, Any]] = ${literal(prices)}\n`
  )
}

/** The generated modules of the Python package. */
export const python = (version: string, contract: string, prices: unknown) => ({
  "_contract.py": contractFile(version, contract, prices),
  "errors.py": errorsFile(),
  "results.py": resultsFile(),
  "tasks.py": tasksFile()
})
