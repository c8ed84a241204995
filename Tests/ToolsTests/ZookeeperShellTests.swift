import CoordinationProtocol
import CoordinationServer
import Platform
import SimulatedPlatform
import Testing

@testable import Tools

extension SimulatedTool {
    /// One call of the shell: its status and what it said.
    func shell(_ words: String..., input: String = "") -> (status: Int32, out: String, err: String) {
        (out, err) = ("", "")
        self.input = Array(input.utf8)
        let status = ZookeeperShellCommand.run(["zk:2181"] + words, self)
        return (status: status, out: out, err: err)
    }
}

@Suite("The coordinator's shell")
struct ZookeeperShellTests {
    let greeting = """
        Connecting to zk:2181

        WATCHER::

        WatchedEvent state:SyncConnected type:None path:null zxid: -1

        """

    @Test("answers one command as ZooKeeper's does, and ends") func oneCommand() {
        let tool = SimulatedTool()
        #expect(tool.shell("ls", "/") == (0, greeting + "[zookeeper]\n", ""))
        #expect(tool.shell("create", "/a", "hello") == (0, greeting, "Created /a\n"))
        #expect(tool.shell("get", "/a") == (0, greeting + "hello\n", ""))
        #expect(tool.shell("create", "-s", "/a/x-") == (0, greeting, "Created /a/x-0000000000\n"))
        #expect(tool.shell("get", "/a/x-0000000000") == (0, greeting + "null\n", ""))
        #expect(tool.shell("ls", "-R", "/a") == (0, greeting + "/a\n/a/x-0000000000\n", ""))
        #expect(tool.shell("stat", "/a").out.contains("\ndataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\n"))
        #expect(tool.shell("deleteall", "/a") == (0, greeting, ""))
        #expect(tool.shell("ls", "/").out == greeting + "[zookeeper]\n")
    }

    @Test("ends with 1 and ZooKeeper's words when the coordinator refuses") func refusals() {
        let tool = SimulatedTool()
        #expect(tool.shell("get", "/nosuch") == (1, greeting, "Node does not exist: /nosuch\n"))
        _ = tool.shell("create", "/a")
        #expect(tool.shell("create", "/a") == (1, greeting, "Node already exists: /a\n"))
        #expect(tool.shell("set", "/a", "x", "-v", "4").err == "version No is not valid : /a\n")
        #expect(tool.shell("get", "a").err == "Path must start with / character\n")
        #expect(tool.shell("get", "/a/").err == "Path must not end with / character\n")
        #expect(tool.shell("create").err == "create [-s] [-e] [-c] [-t ttl] path [data] [acl]\n")
        let unknown = tool.shell("frobnicate")
        #expect(unknown.status == 1 && unknown.err.hasSuffix("Command not found: Command not found frobnicate\n"))
    }

    @Test("reads lines, keeps one session over them, tells of watches, and says goodbye") func lines() {
        let tool = SimulatedTool()
        let said = tool.shell(
            input: """
                create -e /e "two words"
                get -w /e
                set /e 'three more words'

                getEphemerals
                quit
                """)
        #expect(said.status == 0)
        #expect(said.err == "Created /e\n")
        #expect(
            said.out == """
                Connecting to zk:2181
                Welcome to ZooKeeper!
                JLine support is disabled

                WATCHER::

                WatchedEvent state:SyncConnected type:None path:null zxid: -1
                two words

                WATCHER::

                WatchedEvent state:SyncConnected type:NodeDataChanged path:/e zxid: 3
                [/e]

                WATCHER::

                WatchedEvent state:Closed type:None path:null zxid: -1

                """)
        // The session is closed, and what belonged to it is gone.
        #expect(tool.shell("ls", "/").out == greeting + "[zookeeper]\n")
    }

    @Test("sets, shows and lifts quotas") func quotas() {
        let tool = SimulatedTool()
        _ = tool.shell("create", "/q")
        #expect(tool.shell("setquota", "-n", "5", "/q").status == 0)
        #expect(
            tool.shell("listquota", "/q").out.contains(
                "Output quota for /q count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1\n"))
        #expect(tool.shell("setquota", "-b", "100", "/q").status == 0)
        #expect(
            tool.shell("listquota", "/q").out.contains(
                "Output quota for /q count=5,bytes=100=;byteHardLimit=-1;countHardLimit=-1\n"))
        _ = tool.shell("create", "/q/child")
        #expect(tool.shell("setquota", "-n", "1", "/q/child").err == "/q/child has a parent /q which has a quota\n")
        #expect(tool.shell("delquota", "/q").status == 0)
        #expect(tool.shell("ls", "/zookeeper/quota").out == greeting + "[]\n")
    }

    @Test("draws a subtree") func tree() {
        let tool = SimulatedTool()
        for path in ["/a", "/a/x", "/a/x/1", "/a/y"] { _ = tool.shell("create", path, path == "/a/y" ? "data" : "") }
        #expect(tool.shell("tree", "/a").out == greeting + "/a\n├── x\n│   └── 1\n└── y  (4 B)\n")
        #expect(tool.shell("tree", "-d", "1", "/a").out == greeting + "/a\n├── x\n└── y  (4 B)\n")
        #expect(tool.shell("tree", "/nosuch").err == "Node does not exist: /nosuch\n")
    }

    @Test("passes four-letter words on") func fourLetterWords() {
        let tool = SimulatedTool()
        let said = tool.shell("srvr")
        #expect(said.status == 0 && said.out.contains("\nMode: standalone\n"))
        #expect(tool.shell("stat").out.contains("stat is not executed because it is not in the whitelist."))
    }

    @Test("says where it looked when nobody answers") func unreachable() {
        let tool = SimulatedTool()
        tool.simulation.node("zk").crash(.process)
        let said = tool.shell("ls", "/")
        #expect(said.status == 1)
        #expect(said.err.hasPrefix("LB-2004 no coordinator at zk:2181"))
    }

    @Test("writes times, bytes and words as ZooKeeper's does") func formats() {
        #expect(ShellFormat.date(ms: 1_795_238_585_795) == "Sat Nov 21 05:23:05 UTC 2026")
        #expect(ShellFormat.date(ms: 0) == "Thu Jan 01 00:00:00 UTC 1970")
        #expect(ShellFormat.date(ms: 951_782_400_000) == "Tue Feb 29 00:00:00 UTC 2000")
        for text in ["", "a", "ab", "abc", "abcd"] {
            #expect(ShellFormat.base64Decoded(ShellFormat.base64(Array(text.utf8))) == Array(text.utf8))
        }
        #expect(ShellFormat.base64(Array("hello".utf8)) == "aGVsbG8=")
        #expect(ShellFormat.base64Decoded("a*") == nil)
        #expect(ZookeeperShell.words(of: #" set  /a "b c" 'd "e' f"#) == ["set", "/a", "b c", "d \"e", "f"])
        #expect(
            ShellQuota("count=3,bytes=-1=;byteHardLimit=7").text
                == "count=3,bytes=-1=;byteHardLimit=7;countHardLimit=-1")
    }
}
