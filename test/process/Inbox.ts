/** What a client has received and its test has not looked at yet. */
export class Inbox<T> {
  readonly #items: Array<T> = []
  #wake: (() => void) | undefined
  #end: string | undefined

  add(item: T): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** Nothing more will come, and why. */
  end(why: string): void {
    this.#end ??= why
    this.#wake?.()
  }

  /** The next item; an error when none comes within `patience` milliseconds, or can come any more. */
  async next(patience = 30_000): Promise<T> {
    const deadline = performance.now() + patience
    while (this.#items.length === 0) {
      if (this.#end !== undefined) throw new Error(`nothing more comes: ${this.#end}`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`nothing has come within ${patience} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.#items.shift()!
  }

  /** The next `count` items. */
  async take(count: number): Promise<ReadonlyArray<T>> {
    const taken: Array<T> = []
    while (taken.length < count) taken.push(await this.next())
    return taken
  }
}
