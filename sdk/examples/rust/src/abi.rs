// SPDX-License-Identifier: MIT
//! Mirrors of `gproxy/abi.h`, `ext/json.h` and `ext/local.h`, version 1.0: what a module with LOCAL routes
//! needs. The layout is asserted at the end of the file against the numbers of `sdk/abi/layout.c`.
#![allow(dead_code)]

use std::mem::size_of;

pub const ABI_MAJOR: u16 = 1;
pub const ABI_MINOR: u16 = 0;

pub type Status = i32;
pub const OK: Status = 0;
pub const ERR_INTERNAL: Status = -1;
pub const ERR_INVALID: Status = -2;
pub const ERR_UNSUPPORTED: Status = -3;
pub const ERR_NO_MEMORY: Status = -8;

pub const CLAUDE: i32 = 1;
pub const OPENAI_CHAT: i32 = 2;
pub const OPENAI_RESPONSE: i32 = 3;
pub const GEMINI: i32 = 4;
pub const OPENAI: i32 = 5;

pub const GENERATE: i32 = 1;
pub const STREAM_GENERATE: i32 = 2;
pub const COUNT_TOKENS: i32 = 3;
pub const MODEL_LIST: i32 = 4;
pub const MODEL_GET: i32 = 5;

pub const ROUTE_LOCAL: i32 = 3;
pub const KIND_USER_CREATED: u32 = 2;
pub const REQUEST_NEEDS_SSE: u32 = 2;
pub const FIELD_INCLUDE_USAGE: i32 = 4;
pub const LOCAL_STREAM: u32 = 1;
pub const PIECE_LAST: u32 = 1;

pub const JSON_STRING: i32 = 3;
pub const JSON_ARRAY: i32 = 4;
pub const JSON_OBJECT: i32 = 5;
pub const NODE_FOUND: u32 = 1;

/// A view. As a return value of the host it is valid as long as the host says.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub ptr: *const u8,
    pub len: usize,
}

impl Str {
    pub const EMPTY: Str = Str { ptr: std::ptr::null(), len: 0 };
    pub const fn new(text: &'static str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() }
    }
    pub fn of(text: &str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() }
    }
    /// # Safety
    /// The view must be valid for `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(self.ptr, self.len)
        }
    }
}

#[repr(C)]
pub struct Header {
    pub name: Str,
    pub value: Str,
}

#[repr(C)]
pub struct Span {
    pub field: i32,
    pub flags: u32,
    pub at: usize,
    pub len: usize,
}

#[repr(C)]
pub struct Route {
    pub protocol: i32,
    pub operation: i32,
    pub mode: i32,
    pub target: i32,
}

#[repr(C)]
pub struct Error {
    pub size: u32,
    pub code: i32,
    pub message: Str,
    pub param: Str,
}

#[repr(C)]
pub struct Kind {
    pub size: u32,
    pub flags: u32,
    pub name: Str,
    pub credential_tag: Str,
    pub title: Str,
    pub gen_ai_name: Str,
    pub settings_schema: Str,
    pub credential_schema: Str,
    pub aliases: *const u8,
    pub alias_count: usize,
    pub forward_headers: *const Str,
    pub forward_header_count: usize,
}

#[repr(C)]
pub struct Info {
    pub size: u32,
    pub flags: u32,
    pub id: Str,
    pub name: Str,
    pub version: Str,
    pub licence: Str,
    pub homepage: Str,
    pub kinds: *const &'static Kind,
    pub kind_count: usize,
}

#[repr(C)]
pub struct Arena {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Instance {
    pub size: u32,
    pub flags: u32,
    pub arena: *mut Arena,
    pub provider: *mut u8,
    pub routes: *const Route,
    pub route_count: usize,
}

#[repr(C)]
pub struct Request {
    pub size: u32,
    pub flags: u32,
    pub protocol: i32,
    pub operation: i32,
    pub client_protocol: i32,
    pub attempt: u32,
    pub method: Str,
    pub path: Str,
    pub query: Str,
    pub model: Str,
    pub resource: Str,
    pub body: Str,
    pub headers: *const Header,
    pub header_count: usize,
    pub spans: *const Span,
    pub span_count: usize,
    pub credential: *const u8,
    pub arena: *mut Arena,
    pub request_id: Str,
}

#[repr(C)]
pub struct Local {
    pub size: u32,
    pub flags: u32,
    pub status: i32,
    pub reserved: i32,
    pub headers: *const Header,
    pub header_count: usize,
    pub body: Str,
}

#[repr(C)]
pub struct Piece {
    pub size: u32,
    pub flags: u32,
    pub delay_ms: i64,
    pub bytes: Str,
}

#[repr(C)]
pub struct LocalExt {
    pub size: u32,
    pub flags: u32,
    pub respond: unsafe extern "C" fn(*const u8, *const Request, *mut Local, *mut *mut u8, *mut Error) -> Status,
    pub next: unsafe extern "C" fn(*mut u8, *mut Piece) -> Status,
    pub release: unsafe extern "C" fn(*mut u8),
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct JsonNode {
    pub at: usize,
    pub len: usize,
    pub kind: i32,
    pub flags: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct JsonMember {
    pub key: JsonNode,
    pub value: JsonNode,
}

#[repr(C)]
pub struct JsonExt {
    pub size: u32,
    pub flags: u32,
    pub validate: unsafe extern "C" fn(Str, *mut JsonNode, *mut Error) -> Status,
    pub index: unsafe extern "C" fn(Str, *const Str, usize, *mut JsonNode) -> Status,
    pub get: unsafe extern "C" fn(*mut Arena, Str, Str, *mut i32, *mut Str) -> Status,
    pub first: unsafe extern "C" fn(Str, *const JsonNode, *mut JsonMember) -> Status,
    pub next: unsafe extern "C" fn(Str, *const JsonNode, *mut JsonMember) -> Status,
    pub decode: unsafe extern "C" fn(*mut Arena, Str, *const JsonNode, *mut Str) -> Status,
    pub quote: unsafe extern "C" fn(*mut Arena, Str, *mut Str) -> Status,
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub version: Str,
    pub user_agent: Str,
    pub alloc: unsafe extern "C" fn(*mut Arena, usize, usize) -> *mut u8,
    pub log: unsafe extern "C" fn(*const Host, i32, Str),
    pub now_ms: unsafe extern "C" fn() -> i64,
    pub extension: unsafe extern "C" fn(*const Host, Str) -> *const u8,
}

/// Hooks that this crate never offers stay null.
pub type Absent = Option<unsafe extern "C" fn()>;

#[repr(C)]
pub struct ProviderTable {
    pub size: u32,
    pub flags: u32,
    pub create: unsafe extern "C" fn(Str, Str, Str, *mut Instance, *mut Error) -> Status,
    pub destroy: unsafe extern "C" fn(*mut u8),
    pub credential_open: Absent,
    pub credential_close: Absent,
    pub prepare: unsafe extern "C" fn(*const u8, *const Request, *mut u8, *mut *mut u8, *mut Error) -> Status,
    pub head: Absent,
    pub data: Absent,
    pub body: Absent,
    pub classify: Absent,
    pub release: unsafe extern "C" fn(*mut u8),
}

#[repr(C)]
pub struct Entry {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub info: *const Info,
    pub provider: *const ProviderTable,
    pub init: unsafe extern "C" fn(*const Host, *mut Error) -> Status,
    pub deinit: unsafe extern "C" fn(),
    pub extension: unsafe extern "C" fn(Str) -> *const u8,
}

// Tables are immutable and hold only pointers to static data.
unsafe impl Sync for Kind {}
unsafe impl Sync for Info {}
unsafe impl Sync for ProviderTable {}
unsafe impl Sync for Entry {}
unsafe impl Sync for Header {}

const _: () = {
    assert!(size_of::<Str>() == 16);
    assert!(size_of::<Header>() == 32);
    assert!(size_of::<Span>() == 24);
    assert!(size_of::<Route>() == 16);
    assert!(size_of::<Error>() == 40);
    assert!(size_of::<Kind>() == 136);
    assert!(size_of::<Info>() == 104);
    assert!(size_of::<Instance>() == 40);
    assert!(size_of::<Request>() == 184);
    assert!(size_of::<Local>() == 48);
    assert!(size_of::<Piece>() == 32);
    assert!(size_of::<LocalExt>() == 32);
    assert!(size_of::<JsonExt>() == 64);
    assert!(size_of::<Host>() == 72);
    assert!(size_of::<ProviderTable>() == 88);
    assert!(size_of::<Entry>() == 48);
};
