// SPDX-License-Identifier: MIT
//! The safe side: a provider is a type with `create` and `respond`; the trampolines in `module!` keep every
//! panic inside the module.

use crate::abi::*;

/// Why a call failed; messages are literals.
pub struct Fault {
    pub status: Status,
    pub message: &'static str,
    pub param: &'static str,
}

/// The host's JSON reader over one text that is known to be valid.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    pub ext: &'a JsonExt,
    pub arena: *mut Arena,
    pub text: &'a [u8],
}

impl<'a> Json<'a> {
    fn raw(&self) -> Str {
        Str { ptr: self.text.as_ptr(), len: self.text.len() }
    }

    /// Type and text of a value by JSON Pointer: decoded for strings, as written for everything else.
    pub fn get(&self, pointer: &str) -> Option<(i32, &'a [u8])> {
        let (mut kind, mut value) = (0, Str::EMPTY);
        // Safety: the text is valid JSON, the arena lives as long as 'a.
        unsafe {
            match (self.ext.get)(self.arena, self.raw(), Str::of(pointer), &mut kind, &mut value) {
                OK => Some((kind, value.bytes())),
                _ => None,
            }
        }
    }

    /// The elements of an array (or the values of an object), each a text of its own.
    pub fn elements(&self) -> Vec<Json<'a>> {
        let mut found = Vec::new();
        let mut root = JsonNode::default();
        let pointer = Str::EMPTY;
        let mut member = JsonMember::default();
        unsafe {
            if (self.ext.index)(self.raw(), &pointer, 1, &mut root) != OK {
                return found;
            }
            let mut status = (self.ext.first)(self.raw(), &root, &mut member);
            while status == OK {
                let at = member.value.at;
                if let Some(text) = self.text.get(at..at + member.value.len) {
                    found.push(Json { text, ..*self });
                }
                status = (self.ext.next)(self.raw(), &root, &mut member);
            }
        }
        found
    }
}

/// A request for a local answer.
pub struct Ask<'a> {
    pub protocol: i32,
    pub operation: i32,
    pub model: &'a [u8],
    pub query: &'a [u8],
    pub id: &'a [u8],
    pub body: Option<Json<'a>>,
    pub include_usage: bool,
    pub needs_sse: bool,
    pub now_ms: i64,
}

/// Pieces of a streamed answer: bytes, the pause before them, whether they are the last.
pub trait Stream {
    fn next(&mut self, out: &mut Vec<u8>) -> (i64, bool);
}

pub enum Reply {
    Whole(i32, Vec<u8>),
    Stream(&'static [Header; 1], Box<dyn Stream>),
}

pub trait Provider: Sized + Send + Sync {
    const ROUTES: &'static [Route];
    fn create(settings: &Json) -> Result<Self, Fault>;
    fn respond(&self, ask: &Ask) -> Result<Reply, Fault>;
}

/// What a gp_call is here: the stream and the buffer that its last piece stands in.
pub struct Call {
    pub stream: Box<dyn Stream>,
    pub piece: Vec<u8>,
}

/// # Safety
/// `error` comes from the host and is valid for the call.
pub unsafe fn report(fault: Fault, error: *mut Error) -> Status {
    if let Some(error) = error.as_mut() {
        error.message = Str::new(fault.message);
        error.param = Str::new(fault.param);
    }
    fault.status
}

/// Runs a hook; a panic in it is GP_ERR_INTERNAL.
pub fn guarded(hook: impl FnOnce() -> Status) -> Status {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(hook)).unwrap_or(ERR_INTERNAL)
}

pub static JSON_HEADERS: [Header; 1] =
    [Header { name: Str::new("content-type"), value: Str::new("application/json") }];
pub static SSE_HEADERS: [Header; 1] =
    [Header { name: Str::new("content-type"), value: Str::new("text/event-stream") }];

/// Makes the tables and the entry for provider `$provider` with `$info`.
#[macro_export]
macro_rules! module {
    ($provider:ty, $info:expr) => {
        mod entry {
            #[allow(unused_imports)]
            use super::*;
            use std::mem::size_of;
            use std::sync::atomic::{AtomicPtr, Ordering};
            #[allow(unused_imports)]
            use $crate::abi::*;
            use $crate::sdk::*;

            static HOST: AtomicPtr<Host> = AtomicPtr::new(std::ptr::null_mut());
            static JSON: AtomicPtr<JsonExt> = AtomicPtr::new(std::ptr::null_mut());

            unsafe fn host() -> &'static Host {
                &*HOST.load(Ordering::Acquire)
            }
            unsafe fn json<'a>(arena: *mut Arena, text: Str) -> Json<'a> {
                Json { ext: &*JSON.load(Ordering::Acquire), arena, text: text.bytes() }
            }

            unsafe extern "C" fn create(_: Str, _: Str, settings: Str, out: *mut Instance, error: *mut Error) -> Status {
                guarded(|| match <$provider as Provider>::create(&json((*out).arena, settings)) {
                    Ok(made) => {
                        (*out).provider = Box::into_raw(Box::new(made)) as *mut u8;
                        (*out).routes = <$provider as Provider>::ROUTES.as_ptr();
                        (*out).route_count = <$provider as Provider>::ROUTES.len();
                        OK
                    }
                    Err(fault) => report(fault, error),
                })
            }
            unsafe extern "C" fn destroy(provider: *mut u8) {
                guarded(|| {
                    if !provider.is_null() {
                        drop(Box::from_raw(provider as *mut $provider));
                    }
                    OK
                });
            }
            unsafe extern "C" fn prepare(_: *const u8, _: *const Request, _: *mut u8, _: *mut *mut u8, error: *mut Error) -> Status {
                report(Fault { status: ERR_UNSUPPORTED, message: "has no upstream", param: "" }, error)
            }
            unsafe extern "C" fn release(call: *mut u8) {
                guarded(|| {
                    if !call.is_null() {
                        drop(Box::from_raw(call as *mut Call));
                    }
                    OK
                });
            }

            unsafe extern "C" fn respond(provider: *const u8, request: *const Request, out: *mut Local, call: *mut *mut u8, error: *mut Error) -> Status {
                guarded(|| {
                    let request = &*request;
                    let out = &mut *out;
                    let spans = if request.span_count == 0 { &[] } else { std::slice::from_raw_parts(request.spans, request.span_count) };
                    let body = request.body.bytes();
                    let usage = spans.iter().any(|s| s.field == FIELD_INCLUDE_USAGE && body.get(s.at..s.at + s.len) == Some(b"true"));
                    let ask = Ask {
                        protocol: request.protocol,
                        operation: request.operation,
                        model: request.model.bytes(),
                        query: request.query.bytes(),
                        id: request.request_id.bytes(),
                        body: if body.is_empty() { None } else { Some(json(request.arena, request.body)) },
                        include_usage: usage,
                        needs_sse: request.flags & REQUEST_NEEDS_SSE != 0,
                        now_ms: (host().now_ms)(),
                    };
                    out.header_count = 1;
                    match (*(provider as *const $provider)).respond(&ask) {
                        Ok(Reply::Whole(status, text)) => {
                            let memory = (host().alloc)(request.arena, text.len().max(1), 1);
                            if memory.is_null() {
                                return ERR_NO_MEMORY;
                            }
                            std::ptr::copy_nonoverlapping(text.as_ptr(), memory, text.len());
                            out.status = status;
                            out.headers = JSON_HEADERS.as_ptr();
                            out.body = Str { ptr: memory, len: text.len() };
                            OK
                        }
                        Ok(Reply::Stream(headers, stream)) => {
                            out.status = 200;
                            out.headers = headers.as_ptr();
                            out.flags |= LOCAL_STREAM;
                            *call = Box::into_raw(Box::new(Call { stream, piece: Vec::new() })) as *mut u8;
                            OK
                        }
                        Err(fault) => report(fault, error),
                    }
                })
            }
            unsafe extern "C" fn next(call: *mut u8, out: *mut Piece) -> Status {
                guarded(|| {
                    let call = &mut *(call as *mut Call);
                    call.piece.clear();
                    let (delay_ms, last) = call.stream.next(&mut call.piece);
                    (*out).delay_ms = delay_ms;
                    (*out).flags |= if last { PIECE_LAST } else { 0 };
                    (*out).bytes = Str { ptr: call.piece.as_ptr(), len: call.piece.len() };
                    OK
                })
            }

            static LOCAL: LocalExt = LocalExt { size: size_of::<LocalExt>() as u32, flags: 0, respond, next, release };

            unsafe extern "C" fn init(host: *const Host, error: *mut Error) -> Status {
                let json = ((*host).extension)(host, Str::new("gproxy.json/1"));
                if json.is_null() {
                    return report(Fault { status: ERR_UNSUPPORTED, message: "the host does not offer gproxy.json/1", param: "" }, error);
                }
                HOST.store(host as *mut Host, Ordering::Release);
                JSON.store(json as *mut JsonExt, Ordering::Release);
                OK
            }
            unsafe extern "C" fn deinit() {
                HOST.store(std::ptr::null_mut(), Ordering::Release);
                JSON.store(std::ptr::null_mut(), Ordering::Release);
            }
            unsafe extern "C" fn extension(id: Str) -> *const u8 {
                if id.bytes() == b"gproxy.local/1" {
                    &LOCAL as *const LocalExt as *const u8
                } else {
                    std::ptr::null()
                }
            }

            static TABLE: ProviderTable = ProviderTable {
                size: size_of::<ProviderTable>() as u32,
                flags: 0,
                create,
                destroy,
                credential_open: None,
                credential_close: None,
                prepare,
                head: None,
                data: None,
                body: None,
                classify: None,
                release,
            };
            static ENTRY: Entry = Entry {
                size: size_of::<Entry>() as u32,
                abi_major: ABI_MAJOR,
                abi_minor: ABI_MINOR,
                info: &$info,
                provider: &TABLE,
                init,
                deinit,
                extension,
            };

            /// The one exported function.
            #[no_mangle]
            pub extern "C" fn gproxy_entry_1() -> *const Entry {
                &ENTRY
            }
        }
    };
}
