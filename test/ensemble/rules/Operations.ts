/** Rules of the tree: what each operation does, answers and refuses. They need a server and sessions, no more. */
import {
  asks,
  check,
  children,
  close,
  create,
  exists,
  get,
  multi,
  opens,
  remove,
  script,
  set,
  sync
} from "../Script.ts"

export const operationRules = [
  script(
    "a created znode has one zxid in its stat, and its version begins at 0",
    opens("A"),
    asks("A", create("/a", "one"), "created /a czxid 1 bytes 3"),
    asks("A", get("/a"), "'one' czxid 1 bytes 3"),
    asks("A", exists("/a"), "czxid 1 bytes 3"),
    asks("A", children("/a"), "[]")
  ),

  script(
    "setting data raises version and mzxid, even to the data that was there, and leaves the parent alone",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/a", "one"), "created /p/a czxid 2 bytes 3"),
    asks("A", set("/p/a", "one"), "set czxid 2 mzxid 3 version 1 bytes 3"),
    asks("A", set("/p/a", "", 1), "set czxid 2 mzxid 4 version 2"),
    asks("A", exists("/p"), "czxid 1 pzxid 2 cversion 1 children 1")
  ),

  script(
    "cversion counts created and deleted children, pzxid is the zxid of the last of them",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/a"), "created /p/a czxid 2"),
    asks("A", create("/p/b"), "created /p/b czxid 3"),
    asks("A", create("/p/b/x"), "created /p/b/x czxid 4"),
    asks("A", exists("/p"), "czxid 1 pzxid 3 cversion 2 children 2"),
    asks("A", remove("/p/a"), "deleted"),
    asks("A", set("/p", "new"), "set czxid 1 mzxid 6 pzxid 5 version 1 cversion 3 children 1 bytes 3"),
    asks("A", children("/p"), "[b]")
  ),

  script(
    "a znode that is created again is another: its counts begin anew, those of its sequential children too",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", set("/p", "x"), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "created /p/n-0000000000 czxid 3"),
    asks("A", remove("/p/n-0000000000"), "deleted"),
    asks("A", remove("/p", 1), "deleted"),
    asks("A", create("/p"), "created /p czxid 4"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "created /p/n-0000000000 czxid 5"),
    asks("A", exists("/p"), "czxid 4 pzxid 5 cversion 1 children 1")
  ),

  script(
    "a sequential znode is numbered by the children ever created, and a deletion gives no number back",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "created /p/n-0000000000 czxid 2"),
    asks("A", create("/p/other"), "created /p/other czxid 3"),
    asks("A", create("/p/m-", "", "EphemeralSequential"), "created /p/m-0000000002 czxid 4 of A"),
    asks("A", remove("/p/m-0000000002"), "deleted"),
    asks("A", remove("/p/other"), "deleted"),
    asks("A", create("/p/", "", "PersistentSequential"), "created /p/0000000003 czxid 5"),
    asks("A", exists("/p"), "czxid 1 pzxid 5 cversion 6 children 2")
  ),

  script(
    "a sequential znode whose name is taken is refused, until another child has moved the number on",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/n-0000000001"), "created /p/n-0000000001 czxid 2"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "NodeExists"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "NodeExists"),
    asks("A", create("/p/x"), "created /p/x czxid 3"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "created /p/n-0000000002 czxid 4")
  ),

  script(
    "a multi that fails takes no number of its sequential znodes, even when the next request is already waiting",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/n-", "", "PersistentSequential"), "created /p/n-0000000000 czxid 2"),
    asks(
      "A",
      [
        multi(create("/p/n-", "", "PersistentSequential"), create("/p/n-", "", "PersistentSequential"), check("/none")),
        create("/p/n-", "", "PersistentSequential"),
        multi(create("/p/n-", "", "PersistentSequential"), remove("/p/n-0000000001", 7)),
        create("/p/n-", "", "PersistentSequential")
      ],
      "NoNode at 2",
      "created /p/n-0000000001 czxid 3",
      "BadVersion at 1",
      "created /p/n-0000000002 czxid 4"
    ),
    asks("A", exists("/p"), "czxid 1 pzxid 4 cversion 3 children 3")
  ),

  script(
    "what does not exist cannot be read, set, deleted, or be a parent",
    opens("A"),
    asks("A", get("/a"), "NoNode"),
    asks("A", exists("/a"), "NoNode"),
    asks("A", children("/a"), "NoNode"),
    asks("A", set("/a", "x"), "NoNode"),
    asks("A", set("/a", "x", 3), "NoNode"),
    asks("A", remove("/a"), "NoNode"),
    asks("A", remove("/a/b", 3), "NoNode"),
    asks("A", create("/a/b"), "NoNode"),
    asks("A", create("/a/b", "", "EphemeralSequential"), "NoNode")
  ),

  script(
    "what exists is not created again, and stays as it was",
    opens("A"),
    asks("A", create("/a", "one"), "created /a czxid 1 bytes 3"),
    asks("A", create("/a", "two", "Ephemeral"), "NodeExists"),
    asks("A", get("/a"), "'one' czxid 1 bytes 3")
  ),

  script(
    "a version that is not the present one is refused, and -1 alone stands for any",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", set("/a", "x", 1), "BadVersion"),
    asks("A", set("/a", "x", -2), "BadVersion"),
    asks("A", set("/a", "x", 0), "set czxid 1 mzxid 2 version 1 bytes 1"),
    asks("A", set("/a", "y", 0), "BadVersion"),
    asks("A", remove("/a", 0), "BadVersion"),
    asks("A", multi(check("/a", 0)), "BadVersion at 0"),
    asks("A", multi(check("/a", 1), check("/a")), "[checked, checked]"),
    asks("A", set("/a", "y", -1), "set czxid 1 mzxid 3 version 2 bytes 1"),
    asks("A", remove("/a", 2), "deleted")
  ),

  script(
    "a znode with children is not deleted, and its version is looked at first",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", create("/a/b"), "created /a/b czxid 2"),
    asks("A", remove("/a", 3), "BadVersion"),
    asks("A", remove("/a"), "NotEmpty"),
    asks("A", multi(remove("/a"), remove("/a/b")), "NotEmpty at 0"),
    asks("A", multi(remove("/a/b"), remove("/a")), "[deleted, deleted]"),
    asks("A", exists("/a"), "NoNode")
  ),

  script(
    "an ephemeral znode belongs to the session that created it, and has no children",
    opens("A"),
    opens("B"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 1 of A"),
    asks("B", sync("/e"), "synced"),
    asks("B", create("/e/x"), "NoChildrenForEphemerals"),
    asks("A", create("/e/x-", "", "EphemeralSequential"), "NoChildrenForEphemerals"),
    asks("B", multi(create("/f", "", "Ephemeral"), create("/p"), create("/f/x")), "NoChildrenForEphemerals at 2"),
    asks("B", set("/e", "B's"), "set czxid 1 mzxid 2 version 1 bytes 3 of A"),
    asks("B", remove("/e"), "deleted"),
    asks("B", create("/e", "", "Ephemeral"), "created /e czxid 3 of B")
  ),

  script(
    "the operations of a multi have one zxid, and each sees those before it",
    opens("A"),
    asks(
      "A",
      multi(
        create("/a", "one"),
        create("/a/b"),
        check("/a", 0),
        set("/a", "three", 0),
        check("/a", 1),
        create("/a/n-", "", "PersistentSequential"),
        remove("/a/b", 0),
        create("/a/n-", "", "EphemeralSequential")
      ),
      "[created /a, created /a/b, checked, set czxid 1 version 1 cversion 1 children 1 bytes 5," +
        " checked, created /a/n-0000000001, deleted, created /a/n-0000000002]"
    ),
    asks("A", get("/a"), "'three' czxid 1 version 1 cversion 4 children 2 bytes 5"),
    asks("A", exists("/a/n-0000000002"), "czxid 1 of A"),
    asks("A", children("/a"), "[n-0000000001 n-0000000002]")
  ),

  script(
    "a multi that fails changes nothing, and names the first operation that failed",
    opens("A"),
    asks("A", create("/a", "one"), "created /a czxid 1 bytes 3"),
    asks("A", create("/a/b"), "created /a/b czxid 2"),
    asks(
      "A",
      multi(
        create("/c"),
        set("/a", "two"),
        remove("/a/b"),
        create("/a/d"),
        check("/a", 0),
        create("/none/x"),
        remove("/a", 9)
      ),
      "BadVersion at 4"
    ),
    asks("A", get("/a"), "'one' czxid 1 pzxid 2 cversion 1 children 1 bytes 3"),
    asks("A", children("/a"), "[b]"),
    asks("A", exists("/a/b"), "czxid 2"),
    asks("A", exists("/c"), "NoNode"),
    asks("A", multi(create("/c"), create("/c")), "NodeExists at 1"),
    asks("A", multi(create("/c"), create("/d/x")), "NoNode at 1"),
    asks("A", multi(set("/a", "x", 0), set("/a", "x", 0)), "BadVersion at 1"),
    asks("A", create("/c"), "created /c czxid 3")
  ),

  script(
    "a multi may create what it deletes and delete what it creates",
    opens("A"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/p/a", "old"), "created /p/a czxid 2 bytes 3"),
    asks(
      "A",
      multi(remove("/p/a"), create("/p/a", "new"), create("/p/b"), remove("/p/b")),
      "[deleted, created /p/a, created /p/b, deleted]"
    ),
    asks("A", get("/p/a"), "'new' czxid 3 bytes 3"),
    asks("A", exists("/p"), "czxid 1 pzxid 3 cversion 5 children 1")
  ),

  script(
    "a multi of nothing, or of nothing but checks, succeeds and changes nothing",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", multi(), "[]"),
    asks("A", multi(check("/a", 0), check("/a")), "[checked, checked]"),
    asks("A", multi(check("/a"), check("/none")), "NoNode at 1"),
    asks("A", exists("/a"), "czxid 1")
  ),

  script(
    "each refusal in a multi names its operation",
    opens("A"),
    asks("A", create("/a"), "created /a czxid 1"),
    asks("A", create("/a/b"), "created /a/b czxid 2"),
    asks("A", create("/e", "", "Ephemeral"), "created /e czxid 3 of A"),
    asks("A", multi(check("/a"), create("/x/y")), "NoNode at 1"),
    asks("A", multi(check("/a"), create("/a")), "NodeExists at 1"),
    asks("A", multi(check("/a"), create("/e/x")), "NoChildrenForEphemerals at 1"),
    asks("A", multi(check("/a"), set("/x", "")), "NoNode at 1"),
    asks("A", multi(check("/a"), set("/a", "", 3)), "BadVersion at 1"),
    asks("A", multi(check("/a"), remove("/x")), "NoNode at 1"),
    asks("A", multi(check("/a"), remove("/a")), "NotEmpty at 1"),
    asks("A", multi(check("/a"), check("/x")), "NoNode at 1"),
    asks("A", multi(check("/a"), check("/a", 3)), "BadVersion at 1")
  ),

  script(
    "requests of one connection are answered in their order, and each read sees the writes before it",
    opens("A"),
    asks(
      "A",
      [
        create("/a", "0"),
        get("/a"),
        set("/a", "1"),
        get("/a"),
        set("/a", "2"),
        set("/a", "3"),
        get("/a"),
        remove("/a"),
        exists("/a")
      ],
      "created /a czxid 1 bytes 1",
      "'0' czxid 1 bytes 1",
      "set czxid 1 mzxid 2 version 1 bytes 1",
      "'1' czxid 1 mzxid 2 version 1 bytes 1",
      "set czxid 1 mzxid 3 version 2 bytes 1",
      "set czxid 1 mzxid 4 version 3 bytes 1",
      "'3' czxid 1 mzxid 4 version 3 bytes 1",
      "deleted",
      "NoNode"
    )
  ),

  script(
    "closing a session deletes its ephemeral znodes in one transaction, and nothing else",
    opens("A"),
    opens("B"),
    asks("A", create("/p"), "created /p czxid 1"),
    asks("A", create("/q"), "created /q czxid 2"),
    asks("A", create("/p/a", "", "Ephemeral"), "created /p/a czxid 3 of A"),
    asks("A", create("/q/n-", "", "EphemeralSequential"), "created /q/n-0000000000 czxid 4 of A"),
    asks("B", create("/q/b", "", "Ephemeral"), "created /q/b czxid 5 of B"),
    asks("A", close, "closed"),
    asks("B", sync("/"), "synced"),
    asks("B", exists("/p/a"), "NoNode"),
    asks("B", children("/q"), "[b]"),
    asks("B", exists("/p"), "czxid 1 pzxid 6 cversion 2"),
    asks("B", exists("/q"), "czxid 2 pzxid 6 cversion 3 children 1")
  )
]
