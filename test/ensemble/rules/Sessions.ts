/** Rules of sessions: how they end, move and come back, and what their clients may count on when they read. */
import {
  asks,
  attaches,
  awaits,
  children,
  close,
  create,
  drops,
  elapse,
  exists,
  get,
  multi,
  opens,
  type Role,
  type Script,
  script,
  sends,
  set,
  startWatch,
  sync,
  tookAtLeast
} from "../Script.ts"

/** Milliseconds: short, but not so short that a busy machine lets it pass by accident. */
export const shortTimeout = 3_000

const replyLost = (back: Role, where: string, either: ReadonlyArray<string>): Script =>
  script(
    `a write whose reply was lost has happened or not, which is settled once its client is on ${where} and syncs`,
    opens("A", "first"),
    opens("B"),
    asks("A", create("/a", "old"), "created /a czxid 1 bytes 3"),
    sends("A", set("/a", "new")),
    drops("A"),
    attaches("A2", "A", back, "connected as A"),
    asks("A2", [sync("/a"), get("/a")], "synced", either),
    asks("B", get("/a"), either)
  )

export const sessionRules = [
  script(
    "a session that is closed takes its ephemeral znodes with it before the reply, and its connection ends",
    opens("A"),
    opens("B"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    asks("B", [sync("/e"), exists("/e", "watch")], "synced", "czxid 1 of A"),
    asks("A", close, "closed"),
    awaits("A", "Disconnected"),
    asks("B", exists("/e"), "NodeDeleted /e", "NoNode")
  ),

  script(
    "a session that was closed is over for whoever comes back to it",
    opens("A"),
    asks("A", close, "closed"),
    attaches("A2", "A", "leader", "Expired"),
    awaits("A2", "Disconnected"),
    attaches("A3", "A", "first", "Expired")
  ),

  script(
    "a session expires when its timeout has passed since it was last heard of, not before, and not by its connection's end",
    opens("A", "first", shortTimeout),
    opens("B", "first"),
    asks("B", create("/p"), "created /p czxid 1"),
    startWatch,
    asks(
      "A",
      [create("/p/e", "", "Ephemeral"), create("/p/f", "", "Ephemeral")],
      "created /p/e czxid 2 of A",
      "created /p/f czxid 3 of A"
    ),
    drops("A"),
    asks("B", [get("/p/e", "watch"), children("/p")], "'' czxid 2 of A", "[e f]"),
    awaits("B", "NodeDeleted /p/e"),
    tookAtLeast(shortTimeout),
    asks("B", [children("/p"), exists("/p")], "[]", "czxid 1 pzxid 4 cversion 4"),
    attaches("A2", "A", "first", "Expired"),
    attaches("A3", "A", "leader", "Expired")
  ),

  script(
    "a session stays for as long as a client comes back to it within its timeout",
    opens("A", "first", shortTimeout),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    drops("A"),
    elapse(shortTimeout * 0.6),
    attaches("A2", "A", "second", "connected as A"),
    drops("A2"),
    elapse(shortTimeout * 0.6),
    attaches("A3", "A", "leader", "connected as A"),
    asks("A3", exists("/e"), "czxid 1 of A")
  ),

  script(
    "a session that comes back to the same server loses its former connection at once",
    opens("A"),
    attaches("A2", "A", "leader", "connected as A"),
    awaits("A", "Disconnected"),
    asks("A2", create("/e", "", "Ephemeral"), "created /e czxid 1 of A")
  ),

  script(
    "a session that has moved to another server is refused what its former connection still asks, and that ends",
    opens("A", "first"),
    opens("B", "leader"),
    asks("A", create("/a"), "created /a czxid 1"),
    attaches("A2", "A", "second", "connected as A"),
    asks("A", set("/a", "late"), "Disconnected"),
    asks("A2", [sync("/a"), get("/a")], "synced", "'' czxid 1"),
    asks("B", [sync("/a"), get("/a")], "synced", "'' czxid 1")
  ),

  script(
    "a session that has moved to the leader is refused what its former connection still asks",
    opens("A", "first"),
    asks("A", create("/a"), "created /a czxid 1"),
    attaches("A2", "A", "leader", "connected as A"),
    asks("A", multi(set("/a", "late")), "Disconnected"),
    asks("A2", get("/a"), "'' czxid 1")
  ),

  script(
    "a session that has moved away from the leader is refused what its former connection still asks",
    opens("A", "leader"),
    asks("A", create("/a"), "created /a czxid 1"),
    attaches("A2", "A", "first", "connected as A"),
    asks("A", create("/e", "", "Ephemeral"), "Disconnected"),
    asks("A2", exists("/e"), "NoNode")
  ),

  script(
    "a session that has moved is closed on its former connection all the same",
    opens("A", "first"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    attaches("A2", "A", "second", "connected as A"),
    asks("A", close, "closed"),
    awaits("A2", "Disconnected"),
    attaches("A3", "A", "second", "Expired")
  ),

  script(
    "a client that has seen more than the server is not taken",
    opens("A"),
    attaches("A2", "A", "first", "Disconnected", "from the future"),
    attaches("A2", "A", "leader", "Disconnected", "from the future"),
    attaches("A2", "A", "first", "connected as A")
  ),

  replyLost("first", "the same server", ["'old' czxid 1 bytes 3", "'new' czxid 1 mzxid 2 version 1 bytes 3"]),
  replyLost("second", "another server", ["'old' czxid 1 bytes 3", "'new' czxid 1 mzxid 2 version 1 bytes 3"]),

  script(
    "a client reads its own writes on a follower",
    opens("A", "first"),
    asks(
      "A",
      [create("/a", "0"), get("/a"), set("/a", "1"), get("/a")],
      "created /a czxid 1 bytes 1",
      "'0' czxid 1 bytes 1",
      "set czxid 1 mzxid 2 version 1 bytes 1",
      "'1' czxid 1 mzxid 2 version 1 bytes 1"
    )
  ),

  script(
    "a read on a follower may be behind another client's write, until a sync",
    opens("A"),
    opens("B", "first"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    asks("B", [sync("/a"), get("/a")], "synced", "'0' czxid 1 bytes 1"),
    asks("A", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("B", get("/a"), ["'0' czxid 1 bytes 1", "'1' czxid 1 mzxid 2 version 1 bytes 1"]),
    asks("B", [sync("/a"), get("/a")], "synced", "'1' czxid 1 mzxid 2 version 1 bytes 1")
  )
]
