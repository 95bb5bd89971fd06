/** Rules of the ensemble: what its clients see while servers die, stand still and come back. */
import {
  asks,
  attaches,
  awaits,
  close,
  create,
  drops,
  elapse,
  exists,
  get,
  hasNothing,
  kill,
  multi,
  opens,
  pause,
  remove,
  restart,
  resume,
  script,
  sends,
  set,
  startWatch,
  sync,
  tookAtLeast
} from "../Script.ts"
import { shortTimeout } from "./Sessions.ts"

/** The two outcomes of a write that was never acknowledged; whoever reads after it, all find the same. */
const either = ["'old' czxid 1 bytes 3", "'new' czxid 1 mzxid 2 version 1 bytes 3"]

export const ensembleRules = [
  script(
    "a client that comes back to a server that was behind sees no less than before",
    opens("A"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    pause("first"),
    asks("A", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    drops("A"),
    resume("first"),
    attaches("A2", "A", "first", "connected as A"),
    asks("A2", get("/a"), "'1' czxid 1 mzxid 2 version 1 bytes 1")
  ),

  script(
    "the clients of a server that stands still see nothing, and then all in its order",
    opens("A"),
    opens("B", "first"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    asks("B", [sync("/a"), get("/a", "watch")], "synced", "'0' czxid 1 bytes 1"),
    pause("first"),
    asks("A", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    sends("B", sync("/a"), get("/a")),
    asks("A", get("/a"), "'1' czxid 1 mzxid 2 version 1 bytes 1"),
    hasNothing("B"),
    resume("first"),
    awaits("B", "NodeDataChanged /a", "synced", "'1' czxid 1 mzxid 2 version 1 bytes 1")
  ),

  script(
    "a session expires while the server of its client stands still, though the connection stands",
    opens("A", "first", shortTimeout),
    opens("B", "second"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    asks("B", [sync("/e"), get("/e", "watch")], "synced", "'' czxid 1 of A"),
    pause("first"),
    awaits("B", "NodeDeleted /e"),
    hasNothing("A"),
    resume("first"),
    awaits("A", "Disconnected"),
    attaches("A2", "A", "second", "Expired")
  ),

  script(
    "what a client asked of a server that stood still is refused later, when its session has moved meanwhile",
    opens("A", "first"),
    asks("A", create("/a", "old"), "created /a czxid 1 bytes 3"),
    pause("first"),
    sends("A", set("/a", "late")),
    attaches("A2", "A", "second", "connected as A"),
    asks("A2", [sync("/a"), get("/a")], "synced", "'old' czxid 1 bytes 3"),
    resume("first"),
    awaits("A", "Disconnected"),
    asks("A2", [sync("/a"), get("/a")], "synced", "'old' czxid 1 bytes 3")
  ),

  script(
    "what a client asked of a server that stood still is refused later, when its session has ended meanwhile",
    opens("A", "first"),
    opens("B"),
    asks("A", create("/p"), "created /p czxid 1"),
    pause("first"),
    sends("A", create("/p/e", "", "Ephemeral")),
    attaches("A2", "A", "second", "connected as A"),
    asks("A2", close, "closed"),
    resume("first"),
    awaits("A", "Disconnected"),
    asks("B", [sync("/p"), exists("/p")], "synced", "czxid 1")
  ),

  script(
    "when a follower dies, only its clients are disconnected, and their sessions go on elsewhere",
    opens("A", "first"),
    opens("B", "second"),
    opens("C", "leader"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    kill("first"),
    awaits("A", "Disconnected"),
    asks("B", create("/b"), "created /b czxid 2"),
    asks("C", create("/c"), "created /c czxid 3"),
    attaches("A2", "A", "second", "connected as A"),
    asks("A2", exists("/e"), "czxid 1 of A"),
    restart("first"),
    attaches("A3", "A", "first", "connected as A"),
    asks("A3", exists("/e"), "czxid 1 of A")
  ),

  script(
    "a write without a quorum is neither acknowledged nor seen until there is one again",
    opens("A"),
    opens("B"),
    asks("A", create("/a", "old"), "created /a czxid 1 bytes 3"),
    asks("B", [sync("/a"), get("/a", "watch")], "synced", "'old' czxid 1 bytes 3"),
    pause("first"),
    pause("second"),
    sends("A", set("/a", "new")),
    asks("B", get("/a"), "'old' czxid 1 bytes 3"),
    asks("B", get("/a"), "'old' czxid 1 bytes 3"),
    hasNothing("A"),
    resume("first"),
    awaits("A", "set czxid 1 mzxid 2 version 1 bytes 3"),
    asks("B", get("/a"), "NodeDataChanged /a", "'new' czxid 1 mzxid 2 version 1 bytes 3"),
    resume("second")
  ),

  script(
    "without a quorum no server takes a client, and sessions go on when there is one again",
    opens("A"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    kill("first"),
    kill("second"),
    awaits("A", "Disconnected"),
    attaches("A2", "A", "leader", "Disconnected"),
    restart("first"),
    attaches("A3", "A", "leader", "connected as A"),
    asks("A3", exists("/e"), "czxid 1 of A"),
    restart("second")
  ),

  script(
    "a write that its leader did not live to acknowledge has happened for all or for nobody",
    opens("A"),
    opens("B"),
    asks("A", create("/a", "old"), "created /a czxid 1 bytes 3"),
    pause("first"),
    pause("second"),
    sends("A", set("/a", "new")),
    asks("B", get("/a"), "'old' czxid 1 bytes 3"),
    asks("B", get("/a"), "'old' czxid 1 bytes 3"),
    kill("leader"),
    awaits("A", "Disconnected"),
    resume("first"),
    resume("second"),
    attaches("A2", "A", "first", "connected as A"),
    asks("A2", [sync("/a"), get("/a")], "synced", either),
    attaches("A3", "A", "second", "connected as A"),
    asks("A3", [sync("/a"), get("/a")], "synced", either),
    // A server that joins takes no client that has seen the election, before there is a first write after it.
    asks("A3", multi(create("/b")), "[created /b]"),
    restart("leader"),
    attaches("A4", "A", "leader", "connected as A"),
    asks("A4", [sync("/a"), get("/a")], "synced", either)
  ),

  script(
    "when the leader dies, all are disconnected, sessions and ephemeral znodes stay, and all timeouts begin anew",
    opens("A"),
    opens("B", "first"),
    opens("S", "second", shortTimeout),
    asks("A", create("/a", "", "Ephemeral"), "created /a czxid 1 of A"),
    asks("S", create("/s", "", "Ephemeral"), "created /s czxid 2 of S"),
    drops("S"),
    elapse(shortTimeout * 0.6),
    startWatch,
    kill("leader"),
    awaits("A", "Disconnected"),
    awaits("B", "Disconnected"),
    attaches("A2", "A", "second", "connected as A"),
    attaches("B2", "B", "first", "connected as B"),
    asks("B2", [sync("/s"), exists("/s", "watch"), exists("/a")], "synced", "czxid 2 of S", "czxid 1 of A"),
    awaits("B2", "NodeDeleted /s"),
    tookAtLeast(shortTimeout),
    asks("A2", remove("/a"), "deleted"),
    attaches("S2", "S", "first", "Expired")
  ),

  script(
    "a leader that stood still while another was elected acknowledges nothing any more",
    opens("A"),
    opens("B", "first"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    asks("B", [sync("/a"), get("/a")], "synced", "'0' czxid 1 bytes 1"),
    pause("leader"),
    sends("A", set("/a", "late")),
    awaits("B", "Disconnected"),
    attaches("B2", "B", "first", "connected as B"),
    asks("B2", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    resume("leader"),
    awaits("A", "Disconnected"),
    attaches("A2", "A", "leader", "connected as A"),
    asks("A2", [sync("/a"), get("/a")], "synced", "'1' czxid 1 mzxid 2 version 1 bytes 1"),
    asks("B2", [sync("/a"), get("/a")], "synced", "'1' czxid 1 mzxid 2 version 1 bytes 1")
  )
]
