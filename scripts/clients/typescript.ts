import { type JsonSchema, results, returned, tasks } from "./contract.ts"

const primitives: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null"
}

const typeOf = (schema: JsonSchema): string => {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ")
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(" | ")
  if (schema.type === "array") return `ReadonlyArray<${typeOf(schema.items ?? {})}>`
  if (schema.type !== "object") return primitives[schema.type ?? ""] ?? "unknown"
  if (schema.properties === undefined) return "{ readonly [key: string]: unknown }"
  const fields = Object.entries(schema.properties).map(
    ([name, inner]) => `readonly ${name}${schema.required?.includes(name) === true ? "" : "?"}: ${typeOf(inner)}`
  )
  return fields.length === 0 ? "Record<string, never>" : `{ ${fields.join("; ")} }`
}

/** The tasks' arguments and results as TypeScript types. */
export const typescript = (contract: string) =>
  [
    `// Written by \`npm run clients\`, contract ${contract}.`,
    ...Object.entries(results).map(([name, schema]) => `export type ${name} = ${typeOf(schema)}`),
    `/** The picture that edit_model takes. */\nexport type Model = ${typeOf(returned)}`,
    `/** Each task's arguments by name, and what it gives. */\nexport interface Tasks {\n${Object.entries(tasks)
      .map(
        ([name, { request, result }]) =>
          `  readonly ${name}: { readonly arguments: ${typeOf(request)}; readonly result: ${result} }`
      )
      .join("\n")}\n}`
  ].join("\n\n")
