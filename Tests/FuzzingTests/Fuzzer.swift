import Glibc

// What libFuzzer's main looks for. The target comes from the environment, since libFuzzer starts itself anew with its own words.

/// `TARGET=records letterbox-fuzz [libFuzzer's words]`; `letterbox-fuzz seeds | unpack | pack DIRECTORY`; `letterbox-fuzz targets`:
/// see scripts/fuzz.sh.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    let words = CommandLine.arguments
    if words.count == 2, words[1] == "targets" {
        for target in FuzzTarget.all { print(target.name, target.maxLength, target.mallocLimitMB) }
        exit(0)
    }
    guard let target = chosen else {
        print("TARGET is one of \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    guard words.count == 3 else { return 0 }
    switch words[1] {
    case "seeds": Corpus.write(target.seeds(), to: words[2], prefix: words[1])
    case "unpack": Corpus.write(Corpus.kept(target.name), to: words[2], prefix: words[1])
    case "pack": Corpus.keep(words[2], as: target.name)
    default: return 0
    }
    exit(0)
}

private let chosen = getenv("TARGET").flatMap { FuzzTarget.named(String(cString: $0)) }

@_cdecl("LLVMFuzzerTestOneInput")
public func runChosen(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let target = chosen else { return 0 }
    do {
        try target.run(UnsafeRawBufferPointer(start: bytes, count: count))
    } catch {
        fatalError("\(target.name): \(error)")
    }
    return 0
}
