import { assert, describe, it } from "vitest"
import { Log } from "../../../../src/layers/simulation/zookeeper/Log.ts"

const logOf = (length: number): Log<number> => {
  const log = new Log<number>()
  for (let at = 0; at < length; at++) log.push(at)
  return log
}

describe("the log of an ensemble", () => {
  it("keeps its indices when it lets go of what everyone has applied", () => {
    const log = logOf(3000)
    log.release(2500)
    assert.strictEqual(log.length, 3000)
    assert.strictEqual(log.at(2500), 2500)
    assert.throws(() => log.at(2499), "no entry 2499")
    log.push(3000)
    assert.strictEqual(log.at(3000), 3000)
  })

  it("forgets what never came to pass", () => {
    const log = logOf(3000)
    log.release(2000)
    log.truncate(2900)
    assert.strictEqual(log.length, 2900)
    assert.throws(() => log.at(2900), "no entry 2900")
    log.push(-1)
    assert.strictEqual(log.at(2900), -1)
  })

  it("is not made shorter for a few", () => {
    const log = logOf(100)
    log.release(50)
    assert.strictEqual(log.at(0), 0)
  })
})
