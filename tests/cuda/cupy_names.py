"""What CuPy 14.2 has of NumPy's functions: by those names NumPy hands calls with CuPy's arrays to CuPy.

``test_dense_on_gpu.py`` compares it with the CuPy that is installed, if one is. All defaults read ``None``.
"""

FUNCTIONS = """\
all(a, axis=None, out=None, keepdims=None)
allclose(a, b, rtol=None, atol=None, equal_nan=None)
amax(a, axis=None, out=None, keepdims=None)
amin(a, axis=None, out=None, keepdims=None)
angle(z, deg=None)
any(a, axis=None, out=None, keepdims=None)
append(arr, values, axis=None)
arange(start, stop=None, step=None, dtype=None)
argmax(a, axis=None, dtype=None, out=None, keepdims=None)
argmin(a, axis=None, dtype=None, out=None, keepdims=None)
argpartition(a, kth, axis=None)
argsort(a, axis=None, kind=None)
argwhere(a)
around(a, decimals=None, out=None)
array(obj, dtype=None, copy=None, order=None, subok=None, ndmin=None, *, blocking=None)
array_equal(a1, a2, equal_nan=None)
array_equiv(a1, a2)
array_split(ary, indices_or_sections, axis=None)
asarray(a, dtype=None, order=None, *, copy=None, blocking=None)
ascontiguousarray(a, dtype=None)
astype(x, dtype, /, *, copy=None)
atleast_1d(*arys)
atleast_2d(*arys)
atleast_3d(*arys)
average(a, axis=None, weights=None, returned=None, *, keepdims=None)
bincount(x, weights=None, minlength=None)
broadcast_arrays(*args)
broadcast_to(array, shape)
can_cast(from_, to, casting=None)
choose(a, choices, out=None, mode=None)
clip(a, a_min, a_max, out=None)
column_stack(tup)
common_type(*arrays)
compress(condition, a, axis=None, out=None)
concat(tup, axis=None, out=None, *, dtype=None, casting=None)
concatenate(tup, axis=None, out=None, *, dtype=None, casting=None)
convolve(a, v, mode=None)
copy(a, order=None)
copyto(dst, src, casting=None, where=None)
corrcoef(a, y=None, rowvar=None, bias=None, ddof=None, *, dtype=None)
correlate(a, v, mode=None)
count_nonzero(a, axis=None)
cov(a, y=None, rowvar=None, bias=None, ddof=None, fweights=None, aweights=None, *, dtype=None)
cross(a, b, axisa=None, axisb=None, axisc=None, axis=None)
cumprod(a, axis=None, dtype=None, out=None)
cumsum(a, axis=None, dtype=None, out=None)
cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=None)
cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=None)
delete(arr, indices, axis=None)
diag(v, k=None)
diag_indices_from(arr)
diagflat(v, k=None)
diagonal(a, offset=None, axis1=None, axis2=None)
diff(a, n=None, axis=None, prepend=None, append=None)
digitize(x, bins, right=None)
dot(a, b, out=None)
dsplit(ary, indices_or_sections)
dstack(tup)
ediff1d(arr, to_end=None, to_begin=None)
einsum(*operands, **kwargs)
empty(shape, dtype=None, order=None)
empty_like(prototype, dtype=None, order=None, subok=None, shape=None)
expand_dims(a, axis)
extract(condition, a)
eye(N, M=None, k=None, dtype=None, order=None)
fill_diagonal(a, val, wrap=None)
flatnonzero(a)
flip(a, axis=None)
fliplr(a)
flipud(a)
full(shape, fill_value, dtype=None, order=None)
full_like(a, fill_value, dtype=None, order=None, subok=None, shape=None)
gradient(f, *varargs, axis=None, edge_order=None)
histogram(x, bins=None, range=None, density=None, weights=None)
histogram2d(x, y, bins=None, range=None, weights=None, density=None)
histogramdd(sample, bins=None, range=None, weights=None, density=None)
hsplit(ary, indices_or_sections)
hstack(tup, *, dtype=None, casting=None)
identity(n, dtype=None)
imag(val)
inner(a, b)
interp(x, xp, fp, left=None, right=None, period=None)
intersect1d(arr1, arr2, assume_unique=None, return_indices=None)
isclose(a, b, rtol=None, atol=None, equal_nan=None)
iscomplex(x)
iscomplexobj(x)
isin(element, test_elements, assume_unique=None, invert=None)
isneginf(x, out=None)
isposinf(x, out=None)
isreal(x)
isrealobj(x)
ix_(*args)
kron(a, b)
lexsort(keys)
linalg.cholesky(a)
linalg.cond(x, p=None)
linalg.cross(x1, x2, /, *, axis=None)
linalg.det(a)
linalg.eig(a)
linalg.eigh(a, UPLO=None)
linalg.eigvals(a)
linalg.eigvalsh(a, UPLO=None)
linalg.inv(a)
linalg.lstsq(a, b, rcond=None)
linalg.matrix_power(M, n)
linalg.matrix_rank(M, tol=None)
linalg.matrix_transpose(a)
linalg.norm(x, ord=None, axis=None, keepdims=None)
linalg.pinv(a, rcond=None)
linalg.qr(a, mode=None)
linalg.slogdet(a)
linalg.solve(a, b)
linalg.svd(a, full_matrices=None, compute_uv=None)
linalg.tensorinv(a, ind=None)
linalg.tensorsolve(a, b, axes=None)
linspace(start, stop, num=None, endpoint=None, retstep=None, dtype=None, axis=None)
logspace(start, stop, num=None, endpoint=None, base=None, dtype=None, axis=None)
matrix_transpose(x, /)
max(a, axis=None, out=None, keepdims=None)
may_share_memory(a, b, max_work=None)
mean(a, axis=None, dtype=None, out=None, keepdims=None)
median(a, axis=None, out=None, overwrite_input=None, keepdims=None)
meshgrid(*xi, **kwargs)
min(a, axis=None, out=None, keepdims=None)
moveaxis(a, source, destination)
nan_to_num(x, copy=None, nan=None, posinf=None, neginf=None)
nanargmax(a, axis=None, dtype=None, out=None, keepdims=None)
nanargmin(a, axis=None, dtype=None, out=None, keepdims=None)
nancumprod(a, axis=None, dtype=None, out=None)
nancumsum(a, axis=None, dtype=None, out=None)
nanmax(a, axis=None, out=None, keepdims=None)
nanmean(a, axis=None, dtype=None, out=None, keepdims=None)
nanmedian(a, axis=None, out=None, overwrite_input=None, keepdims=None)
nanmin(a, axis=None, out=None, keepdims=None)
nanprod(a, axis=None, dtype=None, out=None, keepdims=None)
nanstd(a, axis=None, dtype=None, out=None, ddof=None, keepdims=None)
nansum(a, axis=None, dtype=None, out=None, keepdims=None)
nanvar(a, axis=None, dtype=None, out=None, ddof=None, keepdims=None)
ndim(a)
nonzero(a)
ones(shape, dtype=None, order=None)
ones_like(a, dtype=None, order=None, subok=None, shape=None)
outer(a, b, out=None)
packbits(a, axis=None, bitorder=None)
pad(array, pad_width, mode=None, **kwargs)
partition(a, kth, axis=None)
percentile(a, q, axis=None, out=None, overwrite_input=None, method=None, keepdims=None, *, interpolation=None)
permute_dims(a, axes=None)
place(arr, mask, vals)
prod(a, axis=None, dtype=None, out=None, keepdims=None)
ptp(a, axis=None, out=None, keepdims=None)
put(a, ind, v, mode=None)
put_along_axis(arr, indices, values, axis)
putmask(a, mask, values)
quantile(a, q, axis=None, out=None, overwrite_input=None, method=None, keepdims=None, *, interpolation=None)
ravel(a, order=None)
ravel_multi_index(multi_index, dims, mode=None, order=None)
real(val)
real_if_close(a, tol=None)
repeat(a, repeats, axis=None)
reshape(a, newshape, order=None, *, copy=None)
resize(a, new_shape)
result_type(*arrays_and_dtypes)
roll(a, shift, axis=None)
rollaxis(a, axis, start=None)
rot90(a, k=None, axes=None)
round(a, decimals=None, out=None)
searchsorted(a, v, side=None, sorter=None)
select(condlist, choicelist, default=None)
setdiff1d(ar1, ar2, assume_unique=None)
setxor1d(ar1, ar2, assume_unique=None)
shape(a)
shares_memory(a, b, max_work=None)
sort(a, axis=None, kind=None)
sort_complex(a)
split(ary, indices_or_sections, axis=None)
squeeze(a, axis=None)
stack(tup, axis=None, out=None, *, dtype=None, casting=None)
std(a, axis=None, dtype=None, out=None, ddof=None, keepdims=None)
sum(a, axis=None, dtype=None, out=None, keepdims=None)
swapaxes(a, axis1, axis2)
take(a, indices, axis=None, out=None)
take_along_axis(a, indices, axis)
tensordot(a, b, axes=None)
tile(A, reps)
trace(a, offset=None, axis1=None, axis2=None, dtype=None, out=None)
transpose(a, axes=None)
trapezoid(y, x=None, dx=None, axis=None)
tril(m, k=None)
tril_indices_from(arr, k=None)
trim_zeros(filt, trim=None)
triu(m, k=None)
triu_indices_from(arr, k=None)
union1d(arr1, arr2)
unique(ar, return_index=None, return_inverse=None, return_counts=None, axis=None, *, equal_nan=None)
unique_all(x)
unique_counts(x)
unique_inverse(x)
unique_values(x)
unpackbits(a, axis=None, bitorder=None)
unravel_index(indices, dims, order=None)
unwrap(p, discont=None, axis=None, *, period=None)
vander(x, N=None, increasing=None)
var(a, axis=None, dtype=None, out=None, ddof=None, keepdims=None)
vdot(a, b)
vsplit(ary, indices_or_sections)
vstack(tup, *, dtype=None, casting=None)
where(condition, x=None, y=None)
zeros(shape, dtype=None, order=None)
zeros_like(a, dtype=None, order=None, subok=None, shape=None)
"""
"""Functions, and their parameters."""

METHODS = """\
all(axis=None, out=None, keepdims=None)
any(axis=None, out=None, keepdims=None)
argmax(axis=None, out=None, dtype=None, keepdims=None)
argmin(axis=None, out=None, dtype=None, keepdims=None)
argsort(axis=None, kind=None)
astype(dtype, order=None, casting=None, subok=None, copy=None)
copy(order=None)
cumprod(axis=None, dtype=None, out=None)
cumsum(axis=None, dtype=None, out=None)
diagonal(offset=None, axis1=None, axis2=None)
dot(b, out=None)
fill(value)
flatten(order=None)
max(axis=None, out=None, keepdims=None)
mean(axis=None, dtype=None, out=None, keepdims=None)
min(axis=None, out=None, keepdims=None)
nonzero()
prod(axis=None, dtype=None, out=None, keepdims=None)
ravel(order=None)
repeat(repeats, axis=None)
reshape(*shape, order=None, copy=None)
round(decimals=None, out=None)
squeeze(axis=None)
std(axis=None, dtype=None, out=None, ddof=None, keepdims=None)
sum(axis=None, dtype=None, out=None, keepdims=None)
swapaxes(axis1, axis2)
take(indices, axis=None, out=None)
trace(offset=None, axis1=None, axis2=None, dtype=None, out=None)
transpose(*axes)
var(axis=None, dtype=None, out=None, ddof=None, keepdims=None)
view(dtype=None, type=None)
conj()
"""
"""Methods of ``cupy.ndarray`` that NumPy's arrays have, too."""

UFUNCS = """\
absolute ?bBhHiIlLqQefdFD
add ?bBhHiIlLqQefdFD
arccos efdFD
arccosh efdFD
arcsin efdFD
arcsinh efdFD
arctan efdFD
arctan2 efdFD
arctanh efdFD
bitwise_and ?bBhHiIlLqQ
bitwise_count bBhHiIlLqQ
bitwise_or ?bBhHiIlLqQ
bitwise_xor ?bBhHiIlLqQ
cbrt efd
ceil ?bBhHiIlLqQefd
conjugate bBhHiIlLqQefdFD
copysign efdFD
cos efdFD
cosh efdFD
deg2rad efd
degrees efd
divide qQefdFD
divmod bBhHiIlLqQefd
equal ?qQefdFD
exp efdFD
exp2 efdFD
expm1 efdFD
fabs efd
float_power dFD
floor ?bBhHiIlLqQefd
floor_divide bBhHiIlLqQefd
fmax ?bBhHiIlLqQefdFD
fmin ?bBhHiIlLqQefdFD
fmod bBhHiIlLqQefd
frexp efd
gcd ?bBhHiIlLqQ
greater ?qQefdFD
greater_equal ?qQefdFD
heaviside efd
hypot efdFD
invert ?bBhHiIlLqQ
isfinite efdFD
isinf efdFD
isnan efdFD
lcm ?bBhHiIlLqQ
left_shift bBhHiIlLqQ
less ?qQefdFD
less_equal ?qQefdFD
log efdFD
log10 efdFD
log1p efdFD
log2 efdFD
logaddexp efd
logaddexp2 efd
logical_and ?qQefd
logical_not ?bBhHiIlLqQefd
logical_or ?qQefd
logical_xor ?bBhHiIlLqQefd
maximum ?bBhHiIlLqQefdFD
minimum ?bBhHiIlLqQefdFD
modf efd
multiply ?bBhHiIlLqQefdFD
negative ?bBhHiIlLqQefdFD
nextafter efdFD
not_equal ?qQefdFD
positive ?bBhHiIlLqQefdFD
power ?bBhHiIlLqQefdFD
rad2deg efd
radians efd
reciprocal bBhHiIlLqQefdFD
remainder bBhHiIlLqQefd
right_shift bBhHiIlLqQ
rint efdFD
sign bBhHiIlLqQefdFD
signbit efd
sin efdFD
sinh efdFD
sqrt efdFD
square bBhHiIlLqQefdFD
subtract ?bBhHiIlLqQefdFD
tan efdFD
tanh efdFD
trunc ?bBhHiIlLqQefd
"""
"""Ufuncs, and the types of which they have a loop: NumPy's characters."""
