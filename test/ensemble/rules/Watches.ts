/** Rules of watches: what fires them, how often, and when in the order of what a client sees. */
import {
  addWatch,
  asks,
  attaches,
  awaits,
  check,
  children,
  close,
  create,
  drops,
  exists,
  get,
  hasNothing,
  multi,
  opens,
  remove,
  script,
  set,
  setWatches,
  sync
} from "../Script.ts"

export const watchRules = [
  script(
    "a watch of data fires once, before any reply that shows the change",
    opens("A"),
    opens("B"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    asks("B", [sync("/a"), get("/a", "watch")], "synced", "'0' czxid 1 bytes 1"),
    asks("A", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", set("/a", "2"), "set czxid 1 mzxid 3 version 2 bytes 1"),
    asks("B", get("/a"), "NodeDataChanged /a", "'2' czxid 1 mzxid 3 version 2 bytes 1"),
    asks("A", remove("/a"), "deleted"),
    asks("B", exists("/a"), "NoNode")
  ),

  script(
    "on a follower, too, a watch fires before any reply that shows the change",
    opens("A"),
    opens("B", "first"),
    asks("A", create("/a", "0"), "created /a czxid 1 bytes 1"),
    asks("B", [sync("/a"), get("/a", "watch")], "synced", "'0' czxid 1 bytes 1"),
    asks("A", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("B", [sync("/a"), get("/a")], "NodeDataChanged /a", "synced", "'1' czxid 1 mzxid 2 version 1 bytes 1")
  ),

  script(
    "a client's own change fires its watches before the reply",
    opens("A", "first"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", [get("/a", "watch"), children("/a", "watch")], "'' czxid 1", "[]"),
    asks(
      "A",
      [set("/a", "1"), create("/a/b")],
      "NodeDataChanged /a",
      "set czxid 1 mzxid 2 version 1 bytes 1",
      "NodeChildrenChanged /a",
      "created /a/b czxid 3"
    )
  ),

  script(
    "a watch that has fired is set again by the next read that asks for it",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", get("/a", "watch"), "'' czxid 1"),
    asks("A", set("/a", "1"), "NodeDataChanged /a", "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", set("/a", "2"), "set czxid 1 mzxid 3 version 2 bytes 1"),
    asks("A", exists("/a", "watch"), "czxid 1 mzxid 3 version 2 bytes 1"),
    asks("A", set("/a", "2"), "NodeDataChanged /a", "set czxid 1 mzxid 4 version 3 bytes 1")
  ),

  script(
    "several watches of one client on the data of a znode fire as one event, that of another client apart",
    opens("A"),
    opens("B"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", [get("/a", "watch"), exists("/a", "watch"), get("/a", "watch")], "'' czxid 1", "czxid 1", "'' czxid 1"),
    asks("B", [sync("/a"), get("/a", "watch")], "synced", "'' czxid 1"),
    asks("A", [set("/a", "1"), sync("/a")], "NodeDataChanged /a", "set czxid 1 mzxid 2 version 1 bytes 1", "synced"),
    awaits("B", "NodeDataChanged /a")
  ),

  script(
    "a watch of children fires once when a child comes or goes, and not when the data of znode or child changes",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/a"), "created /p/a czxid 2"),
    asks("A", children("/p", "watch"), "[a]"),
    asks("A", set("/p", "1"), "set czxid 1 mzxid 3 pzxid 2 version 1 cversion 1 children 1 bytes 1"),
    asks("A", set("/p/a", "1"), "set czxid 2 mzxid 4 version 1 bytes 1"),
    asks("A", create("/p/a/x"), "created /p/a/x czxid 5"),
    asks("A", create("/p/b"), "NodeChildrenChanged /p", "created /p/b czxid 6"),
    asks("A", create("/p/c"), "created /p/c czxid 7"),
    asks("A", children("/p", "watch"), "[a b c]"),
    asks("A", remove("/p/c"), "NodeChildrenChanged /p", "deleted")
  ),

  script(
    "a watch of data does not fire when a child comes or goes",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", [get("/p", "watch"), exists("/p", "watch")], "'' czxid 1", "czxid 1"),
    asks("A", [create("/p/a"), remove("/p/a")], "created /p/a czxid 2", "deleted"),
    asks("A", set("/p", "1"), "NodeDataChanged /p", "set czxid 1 mzxid 4 pzxid 3 version 1 cversion 2 bytes 1")
  ),

  script(
    "a deletion fires the watches of data and of children as one event, and then those of the parent's children",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/a"), "created /p/a czxid 2"),
    asks(
      "A",
      [get("/p/a", "watch"), children("/p/a", "watch"), children("/p", "watch"), get("/p", "watch")],
      "'' czxid 2",
      "[]",
      "[a]",
      "'' czxid 1 pzxid 2 cversion 1 children 1"
    ),
    asks("A", remove("/p/a"), "NodeDeleted /p/a", "NodeChildrenChanged /p", "deleted"),
    asks("A", create("/p/a"), "created /p/a czxid 3")
  ),

  script(
    "a watch of children alone is told of the deletion of its znode",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", children("/a", "watch"), "[]"),
    asks("A", remove("/a"), "NodeDeleted /a", "deleted")
  ),

  script(
    "exists watches for a znode to be created, get and children of what does not exist watch nothing",
    opens("A"),
    asks("A", [get("/a", "watch"), children("/a", "watch")], "NoNode", "NoNode"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", remove("/a"), "deleted"),
    asks("A", exists("/a", "watch"), "NoNode"),
    asks("A", create("/a"), "NodeCreated /a", "created /a czxid 2"),
    asks("A", remove("/a"), "deleted")
  ),

  script(
    "what does not happen fires no watch",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", [get("/a", "watch"), children("/a", "watch")], "'' czxid 1", "[]"),
    asks("A", set("/a", "x", 7), "BadVersion"),
    asks("A", remove("/a", 7), "BadVersion"),
    asks("A", multi(set("/a", "x"), create("/a/b"), check("/none")), "NoNode at 2"),
    asks("A", multi(check("/a")), "[checked]"),
    asks("A", set("/a", "x"), "NodeDataChanged /a", "set czxid 1 mzxid 2 version 1 bytes 1")
  ),

  script(
    "a multi fires the watches of its operations in their order, before its reply",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", [exists("/p/a", "watch"), get("/p", "watch"), children("/p", "watch")], "NoNode", "'' czxid 1", "[]"),
    asks(
      "A",
      multi(set("/p", "1"), create("/p/a"), set("/p", "2"), remove("/p/a")),
      "NodeDataChanged /p",
      "NodeCreated /p/a",
      "NodeChildrenChanged /p",
      "[set czxid 1 mzxid 2 version 1 bytes 1, created /p/a," +
        " set czxid 1 mzxid 2 pzxid 2 version 2 cversion 1 children 1 bytes 1, deleted]"
    )
  ),

  script(
    "a persistent watch fires at each change of its znode and of its list of children",
    opens("A"),
    asks("A", addWatch("/p"), "watching"),
    asks("A", create("/p"), "NodeCreated /p", "created /p czxid 1"),
    asks("A", set("/p", "1"), "NodeDataChanged /p", "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", set("/p", "1"), "NodeDataChanged /p", "set czxid 1 mzxid 3 version 2 bytes 1"),
    asks("A", create("/p/a"), "NodeChildrenChanged /p", "created /p/a czxid 4"),
    asks("A", set("/p/a", "1"), "set czxid 4 mzxid 5 version 1 bytes 1"),
    asks("A", create("/p/a/x"), "created /p/a/x czxid 6"),
    asks("A", remove("/p/a/x"), "deleted"),
    asks("A", remove("/p/a"), "NodeChildrenChanged /p", "deleted"),
    asks("A", remove("/p"), "NodeDeleted /p", "deleted"),
    asks("A", create("/p"), "NodeCreated /p", "created /p czxid 7")
  ),

  script(
    "a recursive watch fires at each change of its znode and of all below, and tells no list of children",
    opens("A"),
    opens("B"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", addWatch("/p", "recursive"), "watching"),
    asks("A", create("/p/a"), "NodeCreated /p/a", "created /p/a czxid 2"),
    asks("A", create("/p/a/x"), "NodeCreated /p/a/x", "created /p/a/x czxid 3"),
    asks("A", set("/p/a/x", "1"), "NodeDataChanged /p/a/x", "set czxid 3 mzxid 4 version 1 bytes 1"),
    asks(
      "A",
      set("/p", "1"),
      "NodeDataChanged /p",
      "set czxid 1 mzxid 5 pzxid 2 version 1 cversion 1 children 1 bytes 1"
    ),
    asks("A", create("/pq"), "created /pq czxid 6"),
    asks(
      "A",
      multi(set("/p/a", "1"), set("/p/a", "2"), remove("/p/a/x"), create("/p/b")),
      "NodeDataChanged /p/a",
      "NodeDataChanged /p/a",
      "NodeDeleted /p/a/x",
      "NodeCreated /p/b",
      "[set czxid 2 mzxid 7 pzxid 3 version 1 cversion 1 children 1 bytes 1," +
        " set czxid 2 mzxid 7 pzxid 3 version 2 cversion 1 children 1 bytes 1, deleted, created /p/b]"
    ),
    asks("A", remove("/p/a"), "NodeDeleted /p/a", "deleted"),
    asks("B", create("/p/e", "", "Ephemeral"), "created /p/e czxid 8 of B"),
    asks("B", close, "closed"),
    awaits("A", "NodeCreated /p/e", "NodeDeleted /p/e")
  ),

  script(
    "a recursive watch of a follower sees the changes in the order of their zxids, before a sync's reply",
    opens("A"),
    opens("B", "second"),
    opens("C", "first"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("C", [sync("/p"), addWatch("/p", "recursive")], "synced", "watching"),
    asks("A", create("/p/a"), "created /p/a czxid 2"),
    asks("B", create("/p/b"), "created /p/b czxid 3"),
    asks("A", set("/p/b", "1"), "set czxid 3 mzxid 4 version 1 bytes 1"),
    asks("C", sync("/p"), "NodeCreated /p/a", "NodeCreated /p/b", "NodeDataChanged /p/b", "synced")
  ),

  script(
    "a one-shot watch takes the place of the same client's persistent watch of that znode, and ends with its event",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", [addWatch("/a"), get("/a", "watch")], "watching", "'' czxid 1"),
    asks("A", set("/a", "1"), "NodeDataChanged /a", "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", set("/a", "2"), "set czxid 1 mzxid 3 version 2 bytes 1")
  ),

  script(
    "the end of a session fires the watches of its ephemeral znodes, its own before the reply",
    opens("A"),
    opens("B"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    asks("A", get("/e", "watch"), "'' czxid 1 of A"),
    asks("B", [sync("/e"), get("/e", "watch"), exists("/e")], "synced", "'' czxid 1 of A", "czxid 1 of A"),
    asks("A", close, "NodeDeleted /e", "closed"),
    awaits("B", "NodeDeleted /e"),
    asks("B", exists("/e"), "NoNode")
  ),

  script(
    "a client that comes back has no watches until it sets them",
    opens("A"),
    opens("B"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", [get("/a", "watch"), addWatch("/a")], "'' czxid 1", "watching"),
    drops("A"),
    attaches("A2", "A", "leader", "connected as A"),
    asks("B", set("/a", "1"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A2", sync("/a"), "synced"),
    hasNothing("A2")
  ),

  script(
    "watches set again fire at once, before their reply, for what was missed since the last zxid seen",
    opens("A", "first"),
    opens("B"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/data"), "created /p/data czxid 2"),
    asks("A", create("/p/gone"), "created /p/gone czxid 3"),
    asks("A", create("/p/again"), "created /p/again czxid 4"),
    asks("A", create("/p/parent"), "created /p/parent czxid 5"),
    asks("A", create("/p/same"), "created /p/same czxid 6"),
    drops("A"),
    asks(
      "B",
      [
        set("/p/data", "1"),
        remove("/p/gone"),
        remove("/p/again"),
        create("/p/again"),
        create("/p/parent/x"),
        create("/p/new"),
        create("/p/brief"),
        remove("/p/brief")
      ],
      "set czxid 2 mzxid 7 version 1 bytes 1",
      "deleted",
      "deleted",
      "created /p/again czxid 8",
      "created /p/parent/x czxid 9",
      "created /p/new czxid 10",
      "created /p/brief czxid 11",
      "deleted"
    ),
    attaches("A2", "A", "second", "connected as A"),
    asks("A2", sync("/p"), "synced"),
    asks("A2", setWatches({ data: ["/p/data"] }), "NodeDataChanged /p/data", "watching"),
    asks("A2", setWatches({ data: ["/p/gone"] }), "NodeDeleted /p/gone", "watching"),
    asks("A2", setWatches({ data: ["/p/again"] }), "NodeDataChanged /p/again", "watching"),
    asks("A2", setWatches({ data: ["/p/parent"] }), "watching"),
    asks("A2", setWatches({ child: ["/p/parent"] }), "NodeChildrenChanged /p/parent", "watching"),
    asks("A2", setWatches({ child: ["/p/gone"] }), "NodeDeleted /p/gone", "watching"),
    asks("A2", setWatches({ exist: ["/p/new"] }), "NodeCreated /p/new", "watching"),
    asks("A2", setWatches({ exist: ["/p/brief"], data: ["/p/same"], child: ["/p/same"] }), "watching")
  ),

  script(
    "watches set again for what did not change fire once when it does",
    opens("A"),
    opens("B"),
    asks("A", create("/a"), "created /a czxid 1"),
    drops("A"),
    attaches("A2", "A", "first", "connected as A"),
    asks("A2", setWatches({ data: ["/a"], child: ["/a"], exist: ["/b"] }), "watching"),
    asks(
      "B",
      [set("/a", "1"), set("/a", "2"), create("/b"), create("/a/x"), create("/a/y")],
      "set czxid 1 mzxid 2 version 1 bytes 1",
      "set czxid 1 mzxid 3 version 2 bytes 1",
      "created /b czxid 4",
      "created /a/x czxid 5",
      "created /a/y czxid 6"
    ),
    asks("A2", sync("/a"), "NodeDataChanged /a", "NodeCreated /b", "NodeChildrenChanged /a", "synced")
  ),

  script(
    "persistent watches set again do not tell what was missed, and fire again from then on",
    opens("A"),
    opens("B"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", create("/r"), "created /r czxid 2"),
    drops("A"),
    asks("B", [set("/a", "1"), create("/r/x")], "set czxid 1 mzxid 3 version 1 bytes 1", "created /r/x czxid 4"),
    attaches("A2", "A", "leader", "connected as A"),
    asks("A2", setWatches({ persistent: ["/a"], recursive: ["/r"] }), "watching"),
    asks(
      "A2",
      [set("/a", "2"), set("/a", "3"), create("/r/y"), remove("/r/x")],
      "NodeDataChanged /a",
      "set czxid 1 mzxid 5 version 2 bytes 1",
      "NodeDataChanged /a",
      "set czxid 1 mzxid 6 version 3 bytes 1",
      "NodeCreated /r/y",
      "created /r/y czxid 7",
      "NodeDeleted /r/x",
      "deleted"
    )
  )
]
