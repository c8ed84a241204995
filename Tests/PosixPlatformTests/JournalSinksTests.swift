import Glibc
import Platform
import Testing

@testable import PosixPlatform

private func line(_ text: String) -> JournalLine {
    JournalLine(wallMs: 1_795_262_400_114, level: .info, speaker: "broker 0", text: text, fields: [("port", "9092")])
}

@Suite("A journal on a descriptor")
struct JournalSinksTests {
    @Test("loses lines instead of waiting for a reader, and says how many") func fullPipe() {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        let sink = DescriptorSink(fd: ends[1], style: .narrated)
        for _ in 0..<400 { sink.write(line(String(repeating: "x", count: 400))) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let held = read(ends[0], &buffer, buffer.count)
        #expect(held > 0)
        sink.write(line("read again"))
        let count = read(ends[0], &buffer, buffer.count)
        let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        #expect(text.hasPrefix("(") && text.contains("lines before this one were not written"))
        #expect(text.contains("broker 0  read again  port=9092"))
    }

    @Test("has the shape that scripts know in the classic style") func classic() {
        let text = DescriptorSink.format(
            line("[KafkaServer id=0] started (kafka.server.KafkaServer)"), .classic, colour: false)
        #expect(text.hasSuffix(",114] INFO [KafkaServer id=0] started (kafka.server.KafkaServer) port=9092"))
        #expect(text.hasPrefix("[2026-11-2"))
    }
}
