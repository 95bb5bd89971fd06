/**
 * What the clients of a run do. Every client has a life (how it comes and goes) and some roles (what it publishes and
 * subscribes); a seed uses only some of the lives and roles, because what happens rarely together hides what would
 * happen if it happened often.
 */
import type { QoS } from "../packet/Packet.ts"
import type { Action, ClientPlan, Online, Publish, Subscribe, WillPlan } from "./Plan.ts"
import type { RandomStream } from "./RandomStream.ts"

/** The first client: it is there from the beginning, subscribes to everything and never leaves. */
export const observerName = "observer"

/** Milliseconds before which no other client does anything, so that the observer misses nothing. */
export const quietBeginning = 2_000

/** Seconds: the longest Session Expiry Interval that a broker grants by default. */
const veryLong = 604_800

/** Bytes that suffice for what `Payload.ts` writes about a message. */
const smallestPayload = 48

/** With fewer clients each of them publishes more, and with more of them less, so that the whole is about the same. */
const manyClients = 12

/**
 * How much is going on in a run, of which a seed draws one: some mistakes show only where messages crowd, others only
 * in the long quiet between them; and what is quiet costs little.
 */
const paces = [1, 0.3, 0.1, 0.05] as const

/** What all clients of a run have in common. */
interface Setting {
  /** When the chaos ends, in milliseconds. */
  readonly end: number
  readonly lives: ReadonlyArray<LifeName>
  readonly roles: ReadonlyArray<RoleName>
  /** How likely a client speaks MQTT 5.0. */
  readonly share5: number
  /** How likely a message of MQTT 5.0 expires. */
  readonly shareExpiring: number
  readonly hasLargePayloads: boolean
  /** Multiplies how often a client publishes. */
  readonly rate: number
}

/** A client whose actions are being drawn. */
interface Draft {
  readonly name: string
  readonly is5: boolean
  readonly random: RandomStream
  readonly setting: Setting
  /** Its first action, in milliseconds. */
  readonly start: number
  /** The QoS of its messages, of which it draws one each time. */
  readonly qualities: ReadonlyArray<QoS>
}

/** Random moments from `start` on, on average `mean` milliseconds apart. */
const moments = (random: RandomStream, start: number, end: number, mean: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  let at = start + 1 + Math.round(random.exponential(mean))
  while (at < end) {
    found.push(at)
    at += 1 + Math.round(random.exponential(mean))
  }
  return found
}

/** One of the topics `prefix/0` to `prefix/count-1`; half of the time the first. */
const hotTopic = (random: RandomStream, prefix: string, count: number): string =>
  `${prefix}/${random.chance(0.5) ? 0 : random.below(count)}`

const willOf = ({ name, is5, random }: Draft): WillPlan => ({
  topic: `wills/${name}`,
  qos: random.pick<QoS>([0, 1, 2]),
  retain: random.chance(0.3),
  ...(is5 && random.chance(0.5) && { delay: random.between(1, 5) }),
  ...(is5 && random.chance(0.2) && { expiry: random.between(1, 5) })
})

/** A way to go online, with a session that outlives the connection for `expiry` seconds; 0 for none. */
const onlineAt = (draft: Draft, at: number, expiry: number, cleanStart: boolean, will?: WillPlan): Online => ({
  _tag: "Online",
  at,
  cleanStart: draft.is5 ? cleanStart : expiry === 0 || cleanStart,
  ...(draft.is5 && expiry > 0 && { expiry }),
  ...(will !== undefined && { will })
})

const maybeWill = (draft: Draft): WillPlan | undefined => (draft.random.chance(0.3) ? willOf(draft) : undefined)

const sometimesDurable = ({ random }: Draft): number => (random.chance(0.5) ? 600 : 0)

/** Comes and goes; the pause in seconds is drawn anew each time. */
const visits = (
  draft: Draft,
  expiry: number,
  will: () => WillPlan | undefined,
  hows: ReadonlyArray<"disconnect" | "disconnect-with-will" | "reset" | "silence">,
  pause: () => number
): ReadonlyArray<Action> => {
  const { random, setting, is5 } = draft
  const actions: Array<Action> = []
  let at = draft.start
  while (at < setting.end) {
    const cleanStart = random.chance(actions.length === 0 ? 0.5 : 0.1)
    actions.push(onlineAt(draft, at, expiry, cleanStart, will()))
    at += 200 + Math.round(random.exponential(5_000))
    if (at >= setting.end) break
    const how = random.pick(hows)
    const changesExpiry = is5 && expiry > 0 && how.startsWith("disconnect") && random.chance(0.2)
    actions.push({
      _tag: "Offline",
      at,
      how,
      ...(changesExpiry && { expiry: random.pick([0, 1, 3, 600]) })
    })
    at += 100 + Math.round(pause() * 1_000)
  }
  return actions
}

/** How a client comes and goes. */
const lives = {
  /** It stays. */
  settled: (draft) => [
    onlineAt(draft, draft.start, sometimesDurable(draft), draft.random.chance(0.5), maybeWill(draft))
  ],
  /** A durable session whose client is often away. */
  visiting: (draft) =>
    visits(
      draft,
      600,
      () => maybeWill(draft),
      ["disconnect", "disconnect", "disconnect-with-will", "reset", "silence"],
      () => draft.random.exponential(4)
    ),
  /** A session that may expire before its client comes back; with MQTT 3.1.1 it ends with the connection. */
  forgetful: (draft) => {
    const expiry = draft.is5 ? draft.random.between(1, 5) : 0
    const pause = () => draft.random.float() * 2.5 * Math.max(1, expiry)
    return visits(draft, expiry, () => maybeWill(draft), ["disconnect", "reset", "silence"], pause)
  },
  /** It has a Will, and dies. */
  dying: (draft) => {
    const expiry = draft.random.pick([0, 3, 600])
    const hows = ["reset", "reset", "silence", "silence", "disconnect", "disconnect-with-will"] as const
    return visits(
      draft,
      expiry,
      () => willOf(draft),
      hows,
      () => draft.random.exponential(3)
    )
  },
  /** It connects again and again without closing what it has. */
  restless: (draft) => [
    onlineAt(draft, draft.start, draft.random.chance(0.8) ? 600 : 0, draft.random.chance(0.5), maybeWill(draft)),
    ...moments(draft.random, draft.start, draft.setting.end, 4_000).map((at): Action => ({ _tag: "TakeOver", at }))
  ],
  /** It does not read what it is sent, for a while. */
  slow: (draft) => [
    onlineAt(draft, draft.start, sometimesDurable(draft), draft.random.chance(0.5)),
    ...stalls(draft.random, draft.start, draft.setting.end, 6_000)
  ]
} satisfies Record<string, (draft: Draft) => ReadonlyArray<Action>>
type LifeName = keyof typeof lives

const stalls = (random: RandomStream, start: number, end: number, mean: number): ReadonlyArray<Action> =>
  moments(random, start, end, mean).map((at) => ({
    _tag: "Stall",
    at,
    duration: 500 + Math.round(Math.min(8_000, random.exponential(2_500)))
  }))

const publishAt = (draft: Draft, at: number, topic: string, more: Partial<Publish> = {}): Publish => {
  const { random, is5, setting, qualities } = draft
  const isLarge = setting.hasLargePayloads && random.chance(0.3)
  return {
    _tag: "Publish",
    at,
    topic,
    qos: random.pick(qualities),
    retain: false,
    bytes: isLarge ? random.between(5_000, 30_000) : random.between(smallestPayload, 200),
    ...(is5 && random.chance(setting.shareExpiring) && { expiry: random.between(1, 5) }),
    alias: is5 && random.chance(0.3),
    ...more
  }
}

const subscribeAt = (draft: Draft, at: number, filter: string): Subscribe => {
  const { random, is5 } = draft
  return {
    _tag: "Subscribe",
    at,
    filter,
    qos: random.pick<QoS>([0, 1, 1, 2, 2]),
    noLocal: is5 && !filter.startsWith("$share/") && random.chance(0.15),
    retainAsPublished: is5 && random.chance(0.5),
    retainHandling: is5 ? random.pick([0, 0, 0, 1, 2] as const) : 0,
    ...(is5 && random.chance(0.3) && { identifier: random.between(1, 300) })
  }
}

const filters = ["t/#", "t/+", "t/0", "t/1", "+/0", "+/1", "r/#", "wills/#", "wills/+", "#"]

/** What a client does while it is there. */
const roles = {
  /** Publishes one message after another. */
  steady: (draft) => {
    const mean = draft.random.pick([125, 300, 1_000, 2_000]) / draft.setting.rate
    return moments(draft.random, draft.start, draft.setting.end, mean).map((at) =>
      publishAt(draft, at, hotTopic(draft.random, "t", 6))
    )
  },
  /** Publishes many messages at once. */
  bursts: (draft) =>
    moments(draft.random, draft.start, draft.setting.end, 6_000 / draft.setting.rate).flatMap((at) => {
      const topic = hotTopic(draft.random, "t", 6)
      return Array.from({ length: draft.random.between(5, 30) }, () => publishAt(draft, at, topic))
    }),
  /** Publishes retained messages, and clears them. */
  retained: (draft) =>
    moments(draft.random, draft.start, draft.setting.end, 700 / draft.setting.rate).map((at) =>
      publishAt(draft, at, hotTopic(draft.random, "r", 4), {
        retain: true,
        ...(draft.random.chance(0.15) && { bytes: 0 })
      })
    ),
  /** Subscribes at its beginning. */
  subscriber: (draft) =>
    Array.from({ length: draft.random.between(1, 3) }, () =>
      subscribeAt(draft, draft.start + draft.random.between(1, 500), draft.random.pick(filters))
    ),
  /** Subscribes to retained messages, again and again. */
  reader: (draft) =>
    moments(draft.random, draft.start, draft.setting.end, 4_000).map((at) =>
      subscribeAt(draft, at, draft.random.pick(["r/#", "r/+", "r/0", "+/0"]))
    ),
  /** Takes its share of a group's messages, and perhaps leaves the group and returns. */
  shared: (draft) => {
    const filter = draft.random.pick(["$share/g1/t/#", "$share/g1/t/#", "$share/g2/t/+", "$share/g2/t/0"])
    const joining = subscribeAt(draft, draft.start + 1, filter)
    return draft.random.chance(0.6) ? [joining] : [joining, ...changes(draft, filter, 5_000)]
  },
  /** Subscribes and unsubscribes. */
  fickle: (draft) => changes(draft, draft.random.pick(["t/#", "t/0", "t/+", "r/#", "+/0"]), 1_500)
} satisfies Record<string, (draft: Draft) => ReadonlyArray<Action>>
type RoleName = keyof typeof roles

const publisherRoles: ReadonlyArray<RoleName> = ["steady", "bursts", "retained"]

const changes = (draft: Draft, filter: string, mean: number): ReadonlyArray<Action> =>
  moments(draft.random, draft.start, draft.setting.end, mean).map((at, i) =>
    i % 2 === 0 ? { _tag: "Unsubscribe", at, filter } : subscribeAt(draft, at, filter)
  )

const byTime = (actions: ReadonlyArray<Action>): ReadonlyArray<Action> => actions.toSorted((a, b) => a.at - b.at)

/** A random subset of the choices, never an empty one. */
const someOf = <A>(random: RandomStream, choices: ReadonlyArray<A>): ReadonlyArray<A> => {
  const chosen = choices.filter(() => random.chance(0.5))
  return chosen.length > 0 ? chosen : [random.pick(choices)]
}

const observer = (random: RandomStream, end: number): ClientPlan => ({
  name: observerName,
  version: 5,
  keepAlive: random.pick([5, 10]),
  ...(random.chance(0.3) && { receiveMaximum: random.between(2, 30) }),
  ...(random.chance(0.3) && { topicAliasMaximum: random.between(1, 8) }),
  acknowledgeMillis: random.pick([0, 10, 100]),
  actions: byTime([
    { _tag: "Online", at: 0, cleanStart: true, expiry: veryLong },
    {
      _tag: "Subscribe",
      at: 0,
      filter: "#",
      qos: 2,
      noLocal: false,
      retainAsPublished: true,
      retainHandling: 0
    },
    ...(random.chance(0.2) ? stalls(random, quietBeginning, end, 12_000) : []),
    ...(random.chance(0.2)
      ? moments(random, quietBeginning, end, 10_000).map((at): Action => ({ _tag: "TakeOver", at }))
      : [])
  ])
})

const clientOf = (random: RandomStream, index: number, setting: Setting): ClientPlan => {
  const is5 = random.chance(setting.share5)
  const life = random.pick(setting.lives)
  const publishing = setting.roles.filter((role) => publisherRoles.includes(role))
  const receiving = setting.roles.filter((role) => !publisherRoles.includes(role))
  // The first one publishes and the second one subscribes, so that there is something to see.
  const publishes = index === 1 || random.chance(0.6)
  const receives = index === 2 || !publishes || random.chance(0.5)
  const isLate = random.chance(0.2)
  const draft: Draft = {
    name: `${life}-${index}`,
    is5,
    random,
    setting,
    start: random.between(quietBeginning, isLate ? Math.max(quietBeginning, Math.floor(setting.end / 2)) : 4_000),
    qualities: random.pick<ReadonlyArray<QoS>>([[0], [1], [2], [1, 2], [0, 1, 2], [0, 1, 2]])
  }
  const actions = [
    ...lives[life](draft),
    ...(publishes ? roles[random.pick(publishing)](draft) : []),
    ...(receives ? roles[random.pick(receiving)](draft) : [])
  ]
  return {
    name: draft.name,
    version: is5 ? 5 : 4,
    // A client that falls silent without keep alive would be online for ever.
    keepAlive: life === "dying" ? 5 : random.pick([0, 5, 5, 30]),
    ...(is5 && random.chance(0.35) && { receiveMaximum: random.between(1, 20) }),
    ...(is5 && random.chance(0.1) && { maximumPacketSize: random.between(120, 400) }),
    ...(is5 && random.chance(0.4) && { topicAliasMaximum: random.between(1, 8) }),
    acknowledgeMillis: random.pick([0, 0, 10, 200, 1_500]),
    actions: byTime(actions)
  }
}

/**
 * So many clients for a run of so many seconds: the observer and others, whose names tell their lives. Each is drawn
 * from a stream of its own, so that more clients change little about the first ones.
 */
export const clientsOf = (
  random: RandomStream,
  count: number,
  seconds: number,
  hasLargePayloads: boolean
): ReadonlyArray<ClientPlan> => {
  const common = random.split("setting")
  const setting: Setting = {
    end: seconds * 1_000,
    lives: someOf(common, Object.keys(lives) as ReadonlyArray<LifeName>),
    roles: [
      ...someOf(common, publisherRoles),
      ...someOf(
        common,
        (Object.keys(roles) as ReadonlyArray<RoleName>).filter((role) => !publisherRoles.includes(role))
      )
    ],
    share5: common.pick([0, 0.3, 0.7, 1]),
    shareExpiring: common.pick([0, 0, 0.1, 0.5]),
    hasLargePayloads,
    rate: Math.min(2.5, manyClients / count) * common.pick(paces)
  }
  return Array.from({ length: count }, (_, index) =>
    index === 0
      ? observer(random.split(observerName), setting.end)
      : clientOf(random.split(`client-${index}`), index, setting)
  )
}
