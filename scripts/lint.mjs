// What oxlint has no rule of its own for: a Date that is made of no given time asks the real clock.

const isDate = ({ type, name }) => type === "Identifier" && name === "Date"

const noCurrentDate = {
  create: (context) => {
    const report = (node) => context.report({ node, message: "Time comes from the Clock." })
    return {
      NewExpression: (node) => {
        if (isDate(node.callee) && node.arguments.length === 0) report(node)
      },
      CallExpression: (node) => {
        if (isDate(node.callee)) report(node)
      }
    }
  }
}

export default { meta: { name: "mqttzoo" }, rules: { "no-current-date": noCurrentDate } }
