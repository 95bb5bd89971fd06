/**
 * The part of node-zookeeper-client that is used: its codec. Longs are buffers of 8 bytes; a buffer, a string or a
 * vector that is null on the wire is undefined. What is read past the end of the bytes comes out shortened, or throws.
 */
declare module "node-zookeeper-client/lib/jute/index.js" {
  /** Something that stands in a packet. */
  interface Record {
    byteLength(): number
    serialize(buffer: Buffer, offset: number): number
    /** Fills itself; returns the number of bytes that it should take. */
    deserialize(buffer: Buffer, offset: number): number
  }
  interface Id extends Record {}
  interface Acl extends Record {}
  interface Stat extends Record {
    readonly czxid: Buffer
    readonly mzxid: Buffer
    readonly ctime: Buffer
    readonly mtime: Buffer
    readonly version: number
    readonly cversion: number
    readonly aversion: number
    readonly ephemeralOwner: Buffer
    readonly dataLength: number
    readonly numChildren: number
    readonly pzxid: Buffer
  }
  /** One operation of a transaction, with what its type needs. */
  interface TransactionOperation {
    readonly type: number
    readonly path: string
    readonly data?: Buffer
    readonly acls?: ReadonlyArray<{ toRecord(): Acl }>
    readonly mode?: number
    readonly version?: number
  }
  interface TransactionResult {
    readonly type: number
    readonly path?: string
    readonly stat?: Stat
    readonly err?: number
  }
  type Make<Fields extends ReadonlyArray<unknown>, R extends Record = Record> = new (...fields: Fields) => R
  type Read<Fields> = new () => Record & Readonly<Fields>

  const jute: {
    readonly OP_CODES: {
      readonly CREATE: 1
      readonly DELETE: 2
      readonly EXISTS: 3
      readonly GET_DATA: 4
      readonly SET_DATA: 5
      readonly SYNC: 9
      readonly PING: 11
      readonly GET_CHILDREN2: 12
      readonly CHECK: 13
      readonly MULTI: 14
      readonly CLOSE_SESSION: -11
      readonly ERROR: -1
    }
    readonly XID_NOTIFICATION: -1
    readonly XID_PING: -2
    readonly Request: new (header: Record | null, payload: Record | null) => { toBuffer(): Buffer }
    readonly TransactionRequest: Make<[ReadonlyArray<TransactionOperation>]>
    readonly TransactionResponse: Read<{ results: ReadonlyArray<TransactionResult> }>
    readonly data: {
      readonly Id: Make<[scheme: string, id: string], Id>
      readonly ACL: Make<[permissions: number, id: Id], Acl>
      readonly Stat: new () => Stat
    }
    readonly protocol: {
      readonly ConnectRequest: Make<
        [version: number, lastZxidSeen: Buffer, timeOut: number, sessionId: Buffer, password: Buffer]
      >
      readonly ConnectResponse: Read<{ timeOut: number; sessionId: Buffer; passwd: Buffer | undefined }>
      readonly RequestHeader: Make<[xid: number, type: number]>
      readonly ReplyHeader: Read<{ xid: number; zxid: Buffer; err: number }>
      readonly WatcherEvent: Read<{ type: number; state: number; path: string }>
      readonly CreateRequest: Make<[path: string, data: Buffer, acl: ReadonlyArray<Acl>, flags: number]>
      readonly CreateResponse: Read<{ path: string }>
      readonly DeleteRequest: Make<[path: string, version: number]>
      readonly SetDataRequest: Make<[path: string, data: Buffer, version: number]>
      readonly SetDataResponse: Read<{ stat: Stat }>
      readonly GetDataRequest: Make<[path: string, watch: boolean]>
      readonly GetDataResponse: Read<{ data: Buffer | undefined; stat: Stat }>
      readonly ExistsRequest: Make<[path: string, watch: boolean]>
      readonly ExistsResponse: Read<{ stat: Stat }>
      readonly GetChildren2Request: Make<[path: string, watch: boolean]>
      readonly GetChildren2Response: Read<{ children: ReadonlyArray<string>; stat: Stat }>
      readonly GetACLRequest: Make<[path: string]>
      readonly CheckVersionRequest: Make<[path: string, version: number]>
    }
  }
  export default jute
  export type { Acl, Record, Stat, TransactionOperation }
}
