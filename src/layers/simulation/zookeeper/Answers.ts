/** How a simulated server answers what it can answer from its tree alone. */
import { childrenOf, type DataTree, statOf } from "../../../domain/zookeeper/DataTree.ts"
import type { Answer, Request } from "../../zookeeper/Protocol.ts"

/** Answers a read from a tree. */
export const read = (
  tree: DataTree,
  request: Extract<Request, { _tag: "Get" | "Exists" | "Children" }>
): { readonly answer: Answer; readonly exists: boolean } => {
  const node = tree.nodes.get(request.path)
  if (node === undefined) {
    return { answer: request._tag === "Exists" ? nothing : noNode, exists: false }
  }
  const stat = statOf(node)
  const value =
    request._tag === "Get"
      ? { data: node.data, stat }
      : request._tag === "Exists"
        ? stat
        : { names: childrenOf(node), stat }
  return { answer: { _tag: "Done", value }, exists: true }
}

/** The answer of requests that have no value. */
export const nothing: Answer = { _tag: "Done", value: undefined }

const noNode: Answer = { _tag: "Failed", reason: { _tag: "NoNode" } }
