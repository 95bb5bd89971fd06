/**
 * The heart of a simulation: virtual time, and the choice of what happens next. Everything that a run does is a task of
 * a fiber or an event at a time; the seed decides the order wherever the real world would not.
 *
 * The loop is a plain `while`. It never goes back to the event loop of JavaScript, so a promise or a timer that slipped
 * in would never make progress, and the run would end as stuck instead of passing by accident.
 */
import type { Policy } from "../../domain/simulation/Plan.ts"
import { RandomStream } from "../../domain/simulation/RandomStream.ts"
import type { Process } from "./Process.ts"

/** Something that is to happen at a time. */
export interface Timer {
  /** It will not happen. */
  readonly cancel: () => void
}

interface Event extends Timer {
  time: number
  /** Decides among events of the same time; drawn, so that their order varies. */
  tie: number
  readonly order: number
  readonly owner: Process | undefined
  readonly incarnation: number
  readonly run: () => void
  isCancelled: boolean
}

interface Task {
  readonly run: () => void
  readonly priority: number
  readonly order: number
}

/** The tasks of one fiber's dispatcher. They run in order, those of lower priority numbers first. */
export class TaskQueue {
  readonly tasks: Array<Task> = []
  /** Where it stands in the kernel's list of queues that have something to do; -1 when it has nothing. */
  place = -1
  /** For the policy `priorities`: the highest goes first. */
  rank: number
  readonly id: number
  readonly owner: Process
  readonly incarnation: number

  constructor(owner: Process, id: number, rank: number) {
    this.owner = owner
    this.incarnation = owner.incarnation
    this.id = id
    this.rank = rank
  }
}

export interface KernelOptions {
  readonly seed: number
  readonly policy: Policy
  /** The chance that a fiber has to yield before an operation. */
  readonly preemption: number
}

/** Why a run came to its end: as it should, because its time was over, or because there was nothing left to do. */
export type Outcome = "done" | "time" | "stuck"

/** After so many tasks at most the policy `priorities` has changed its mind three times. */
const priorityHorizon = 50_000

export class Kernel {
  /** Virtual time in microseconds. */
  now = 0
  /** Counts of how often rare paths were reached. */
  readonly reached = new Map<string, number>()
  readonly #random: RandomStream
  readonly #schedule: RandomStream
  readonly #ties: RandomStream
  readonly #options: KernelOptions
  readonly #events: Array<Event> = []
  readonly #ready: Array<TaskQueue> = []
  readonly #priorityChanges = new Set<number>()
  #order = 0
  #queues = 0
  #tasks = 0
  #hashLow = 0x811c9dc5
  #hashHigh = 0x1b873593

  constructor(options: KernelOptions) {
    this.#options = options
    this.#random = new RandomStream(options.seed, "run")
    this.#schedule = this.#random.split("schedule")
    this.#ties = this.#random.split("ties")
    if (options.policy === "priorities") {
      for (let i = 0; i < 3; i++) this.#priorityChanges.add(this.#schedule.below(priorityHorizon))
    }
  }

  /** A stream of random numbers for a part of the run. */
  stream(label: string): RandomStream {
    return this.#random.split(label)
  }

  /** Notes that a rare path was taken. */
  reach(probe: string): void {
    this.reached.set(probe, (this.reached.get(probe) ?? 0) + 1)
  }

  /**
   * Has something happen after so many microseconds. With an owner it happens inside that process: it waits while the
   * process is paused, and never happens when the process, as it runs now, has ended by then.
   */
  later(micros: number, run: () => void, owner?: Process): Timer {
    const event: Event = {
      time: this.now + Math.max(0, Math.round(micros)),
      tie: this.#ties.bits(),
      order: this.#order++,
      owner,
      incarnation: owner === undefined ? 0 : owner.incarnation,
      run,
      isCancelled: false,
      cancel: () => {
        event.isCancelled = true
      }
    }
    this.#push(event)
    return event
  }

  /** How many operations of a fiber may pass until it has to yield. */
  nextPreemption(): number {
    return this.#schedule.geometric(this.#options.preemption)
  }

  /** A queue for the tasks of one of the process's fibers. */
  makeQueue(owner: Process): TaskQueue {
    return new TaskQueue(owner, this.#queues++, this.#schedule.float())
  }

  /** Adds a task; the queue is looked at if its process still lives. */
  addTask(queue: TaskQueue, run: () => void, priority: number): void {
    const { tasks } = queue
    let at = tasks.length
    while (at > 0 && tasks[at - 1]!.priority > priority) at--
    tasks.splice(at, 0, { run, priority, order: this.#order++ })
    if (queue.place < 0 && !queue.owner.isPaused) this.#enqueue(queue)
    else if (queue.owner.isPaused) queue.owner.waiting.add(queue)
  }

  /** Goes on with what a process could not do while it was paused, in the order in which it would have happened. */
  resume(queues: Iterable<TaskQueue>, held: ReadonlyArray<{ readonly time: number }>): void {
    for (const queue of queues) if (queue.place < 0 && queue.tasks.length > 0) this.#enqueue(queue)
    for (const event of held as ReadonlyArray<Event>) {
      event.time = this.now
      // Before all others of this time, and among themselves in their order.
      event.tie = 0
      this.#push(event)
    }
  }

  /** Writes something into the hash of the run. */
  mix(text: string): void {
    for (let i = 0; i < text.length; i++) this.mixNumber(text.charCodeAt(i))
    this.mixNumber(0x1f)
  }

  /** Writes the low 32 bits of a number into the hash of the run. */
  mixNumber(word: number): void {
    this.#hashLow = Math.imul(this.#hashLow ^ word, 0x01000193)
    this.#hashHigh = (Math.imul(((this.#hashHigh << 13) | (this.#hashHigh >>> 19)) ^ word, 0xcc9e2d51) + 0xe6546b64) | 0
  }

  /** The hash of all that happened: 16 hexadecimal digits. */
  hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")
    return hex(this.#hashHigh) + hex(this.#hashLow)
  }

  /** Runs until it is done, or until this time at the latest. */
  run(isDone: () => boolean, limit: number): Outcome {
    while (!isDone()) {
      const event = this.#events[0]
      if (event?.isCancelled === true) {
        this.#pop()
        continue
      }
      const isDue = event !== undefined && event.time <= this.now
      if (this.#ready.length > 0 && !(isDue && this.#schedule.chance(0.5))) {
        this.#runTask()
        continue
      }
      if (event === undefined) return "stuck"
      if (event.time > limit) {
        this.now = Math.max(this.now, limit)
        return "time"
      }
      this.#pop()
      this.now = Math.max(this.now, event.time)
      this.#happen(event)
    }
    return "done"
  }

  #happen(event: Event): void {
    const { owner } = event
    if (owner !== undefined) {
      if (!owner.runs(event.incarnation)) return
      if (owner.isPaused) {
        owner.held.push(event)
        return
      }
    }
    this.mixNumber(event.order)
    event.run()
  }

  #runTask(): void {
    const queue = this.#ready[this.#choose()]!
    const task = queue.tasks.shift()!
    if (queue.tasks.length === 0) this.#dequeue(queue)
    if (!queue.owner.runs(queue.incarnation)) return
    if (queue.owner.isPaused) {
      queue.tasks.unshift(task)
      this.#dequeue(queue)
      queue.owner.waiting.add(queue)
      return
    }
    this.#tasks++
    this.mixNumber(queue.id)
    this.mixNumber(task.order)
    // What a process does takes time.
    this.now += 1 + (this.#schedule.bits() & 7)
    task.run()
  }

  #choose(): number {
    const ready = this.#ready
    if (ready.length === 1) return 0
    if (this.#options.policy === "random") return this.#schedule.below(ready.length)
    let best = 0
    if (this.#options.policy === "fifo") {
      for (let i = 1; i < ready.length; i++) if (ready[i]!.tasks[0]!.order < ready[best]!.tasks[0]!.order) best = i
      return best
    }
    for (let i = 1; i < ready.length; i++) if (ready[i]!.rank > ready[best]!.rank) best = i
    if (this.#priorityChanges.has(this.#tasks)) ready[best]!.rank = -this.#tasks
    return best
  }

  #enqueue(queue: TaskQueue): void {
    queue.place = this.#ready.length
    this.#ready.push(queue)
  }

  #dequeue(queue: TaskQueue): void {
    if (queue.place < 0) return
    const last = this.#ready.pop()!
    if (last !== queue) {
      this.#ready[queue.place] = last
      last.place = queue.place
    }
    queue.place = -1
  }

  #push(event: Event): void {
    const heap = this.#events
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#events
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

const isBefore = (a: Event, b: Event): boolean =>
  a.time !== b.time ? a.time < b.time : a.tie !== b.tie ? a.tie < b.tie : a.order < b.order
