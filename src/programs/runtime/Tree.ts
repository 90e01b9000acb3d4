import { Schema } from "effect"

/** One node of the supervision tree as it is now. Its own fiber writes it; commands that draw the tree read it. */
export interface Node {
  readonly name: string
  readonly kind: "supervisor" | "actor"
  state: "starting" | "running" | "restarting" | "stopping" | "stopped"
  restarts: number
  doing: string
  /** Messages waiting for it; null when it has no mailbox. */
  readonly waiting: () => number | null
  readonly children: Array<Node>
}

/** A node as it is sent to `health --tree`. */
export interface Snapshot {
  readonly name: string
  readonly kind: "supervisor" | "actor"
  readonly state: string
  readonly restarts: number
  readonly doing: string
  readonly waiting: number | null
  readonly children: ReadonlyArray<Snapshot>
}
export const Snapshot: Schema.Codec<Snapshot> = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literals(["supervisor", "actor"]),
  state: Schema.String,
  restarts: Schema.Int,
  doing: Schema.String,
  waiting: Schema.NullOr(Schema.Int),
  children: Schema.Array(Schema.suspend(() => Snapshot))
})

export const snapshot = (node: Node): Snapshot => ({
  name: node.name,
  kind: node.kind,
  state: node.state,
  restarts: node.restarts,
  doing: node.doing,
  waiting: node.waiting(),
  children: node.children.map(snapshot)
})

/** The tree as a person reads it, a line a node. */
export const draw = (root: Snapshot): string => {
  const lines: Array<string> = []
  const visit = (node: Snapshot, first: string, rest: string) => {
    const notes = [
      node.state,
      ...(node.restarts > 0 ? [`restarted ${node.restarts}x`] : []),
      ...(node.waiting !== null && node.waiting > 0 ? [`${node.waiting} waiting`] : []),
      ...(node.doing === "" ? [] : [node.doing])
    ]
    lines.push(`${first}${node.name}  ${notes.join(" · ")}`)
    node.children.forEach((child, at) => {
      const last = at === node.children.length - 1
      visit(child, `${rest}${last ? "└─ " : "├─ "}`, `${rest}${last ? "   " : "│  "}`)
    })
  }
  visit(root, "", "")
  return lines.join("\n")
}
