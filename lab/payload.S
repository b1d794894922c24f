# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guest of the stories: a ROM of 64 KiB in real mode that fills the CPU's
# extended state with known values and then, for ever, looks whether they are
# still there. It has no disk, no memory to speak of and no operating system, so
# that its saved state is small and nothing but a lost register can go wrong.
#
# On COM1 it says, each round:
#	.	all is intact; else one letter for each component that is not:
#	F	x87	S	SSE	A	upper halves of YMM	P	PKRU
# and besides:
#	p	PKRU was not 0 when the CPU came out of reset
#	k	the key P was seen: PKRU has been set to another value, from now on
#		that one is expected
#	c	CPUID shows other features than before
#	!	an exception, after which nothing more is done; behind it its vector and
#		the address, in hexadecimal with g to l for ten to fifteen
#
# A guest without XSAVE in its CPUID uses FXSAVE. One that has it enables in XCR0
# all it was shown of x87, SSE, AVX and PKRU. VEX instructions do not exist in
# real mode; XSAVE, XRSTOR and XSETBV do.

.code16
.set	COM1, 0x3f8
.set	SCANCODE_P, 0x4d		# of set 2, which nobody has changed

# In segment 0, which is RAM.
.set	has_xsave, 0x500	# byte
.set	mask, 0x504		# long: XCR0
.set	pkru_at, 0x508		# word: where PKRU lies in the area
.set	lost, 0x50c		# byte: something was not intact in this round
.set	features, 0x510		# three longs: CPUID as it was
.set	seen, 0x1000		# what the CPU holds
.set	wanted, 0x2000		# what it should
.set	stack, 0x7c00

# The XSAVE area: legacy region as FXSAVE has it, header, AVX.
.set	ST0, 32
.set	XMM0, 160
.set	XSTATE_BV, 512
.set	YMMH0, 576
.set	HALVES, 8 * 16		# eight registers are all there is outside 64-bit mode

# Different values, each possible: PKRU takes any, MXCSR only some.
.set	FCW, 0x027f
.set	MXCSR, 0x9f80		# flush to zero
.set	PKRU, 0x5a5a5a58
.set	OTHER_PKRU, 0x33cc33cc

.globl	_start
_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$stack, %sp
	call	catch_exceptions

	movl	%cr4, %eax
	orl	$0x600, %eax		# OSFXSR, OSXMMEXCPT
	movl	%eax, %cr4
	movb	$0, has_xsave
	movl	$3, mask
	movl	$1, %eax
	cpuid
	btl	$26, %ecx
	jnc	1f
	call	enable_xsave
1:	movw	$features, %di
	call	ask_cpuid
	call	fill_wanted
	call	load
round:
	call	save
	call	compare
	call	look_at_cpuid
	call	look_at_key
	call	delay
	jmp	round

# Any of the first 32 vectors says so and stops; a wild jump would look like
# silence, or worse, like an intact guest.
catch_exceptions:
	xorw	%di, %di
	movw	$vectors, %bx
	movw	$32, %cx
1:	movw	%bx, %ax
	stosw
	movw	%cs, %ax
	stosw
	addw	$3, %bx
	loop	1b
	ret

# What is pushed here tells the vector.
vectors:
	.rept	32
	.byte	0xe8			# call, always three bytes
	.word	exception - . - 2
	.endr

exception:
	movb	$'!', %al
	call	say
	popw	%ax
	subw	$vectors + 3, %ax
	movb	$3, %bl
	divb	%bl
	call	say_hex
	popw	%cx			# where it was
	movb	%ch, %al
	call	say_hex
	movb	%cl, %al
	call	say_hex
1:	cli
	hlt
	jmp	1b

say_hex:
	movb	%al, %bl
	shrb	$4, %al
	call	say_digit
	movb	%bl, %al
	andb	$15, %al
say_digit:
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	say
	addb	$'g' - '0' - 10, %al	# g to l: F and A are taken
	jmp	say

enable_xsave:
	movb	$1, has_xsave
	movl	%cr4, %eax
	orl	$0x40000, %eax		# OSXSAVE
	movl	%eax, %cr4
	cmpb	$0, %cs:config
	je	1f
	orl	$0x400000, %eax		# PKE, as a kernel that uses PKRU has it
	movl	%eax, %cr4
1:	movl	$0xd, %eax
	xorl	%ecx, %ecx
	cpuid
	andl	$0x207, %eax
	movl	%eax, mask
	xorl	%edx, %edx
	xorl	%ecx, %ecx
	xsetbv
	testl	$0x200, mask
	jz	2f
	movl	$0xd, %eax
	movl	$9, %ecx
	cpuid
	movw	%bx, pkru_at
	# A CPU that comes out of reset has PKRU 0.
	call	save
	movw	pkru_at, %bx
	cmpl	$0, seen(%bx)
	je	2f
	movb	$'p', %al
	call	say
2:	ret

# The image of what the registers shall hold.
fill_wanted:
	movw	$wanted, %di
	movw	$1024, %cx
	xorl	%eax, %eax
	rep stosl
	movw	$FCW, wanted
	movb	$0xff, wanted + 4	# all eight in use
	movl	$MXCSR, wanted + 24
	# 1 + i * 2^-55 in ST(i)
	movw	$wanted + ST0, %di
	movw	$8, %cx
1:	movb	%cl, 1(%di)
	movb	$0x80, 7(%di)
	movw	$0x3fff, 8(%di)
	addw	$16, %di
	loop	1b
	movw	$wanted + XMM0, %di
	movb	$0x50, %al
	call	count_up
	movl	mask, %eax
	movl	%eax, wanted + XSTATE_BV
	testb	$4, %al
	jz	2f
	movw	$wanted + YMMH0, %di
	movb	$0xa0, %al
	call	count_up
2:	testl	$0x200, mask
	jz	3f
	movw	pkru_at, %bx
	movl	$PKRU, wanted(%bx)
3:	ret

# Eight registers' worth of bytes, no two registers alike.
count_up:
	movw	$HALVES, %cx
1:	stosb
	incb	%al
	loop	1b
	ret

load:
	xorl	%edx, %edx
	movl	mask, %eax
load_some:
	cmpb	$0, has_xsave
	je	1f
	xrstor	wanted
	ret
1:	fxrstor	wanted
	ret

# The buffer is cleared first: XSAVE leaves alone what XCR0 does not have (any
# more), and what it left there in the last round must not be taken for now.
save:
	movw	$seen, %di
	movw	$1024, %cx
	xorl	%eax, %eax
	rep stosl
	xorl	%edx, %edx
	movl	mask, %eax
	cmpb	$0, has_xsave
	je	1f
	xsave	seen
	ret
1:	fxsave	seen
	ret

compare:
	movb	$0, lost
	movl	wanted, %eax		# FCW, FSW
	cmpl	%eax, seen
	jne	1f
	movb	wanted + 4, %al		# FTW
	cmpb	%al, seen + 4
	jne	1f
	movw	$ST0, %bx
	call	same
	je	2f
1:	movb	$'F', %al
	call	say_lost
2:	movl	wanted + 24, %eax
	cmpl	%eax, seen + 24
	jne	3f
	movw	$XMM0, %bx
	call	same
	je	4f
3:	movb	$'S', %al
	call	say_lost
4:	testb	$4, mask
	jz	5f
	movw	$YMMH0, %bx
	call	same
	je	5f
	movb	$'A', %al
	call	say_lost
5:	testl	$0x200, mask
	jz	6f
	movw	pkru_at, %bx
	movl	wanted(%bx), %eax
	cmpl	%eax, seen(%bx)
	je	6f
	movb	$'P', %al
	call	say_lost
6:	cmpb	$0, lost
	jne	7f
	movb	$'.', %al
	call	say
7:	ret

# Compares the eight registers at %bx of both areas; ZF tells.
same:
	leaw	wanted(%bx), %si
	leaw	seen(%bx), %di
	movw	$HALVES, %cx
	repe cmpsb
	ret

say_lost:
	movb	$1, lost
say:
	movw	$COM1, %dx
	outb	%al, %dx
	ret

look_at_cpuid:
	movw	$features + 12, %di
	call	ask_cpuid
	movw	$features, %si
	movw	$features + 12, %di
	movw	$12, %cx
	repe cmpsb
	je	1f
	movb	$'c', %al
	call	say
	movw	$features, %di
	call	ask_cpuid
1:	ret

# Leaves 1, 7 and 0xd, without what only mirrors CR4 (OSXSAVE, OSPKE), to %di.
ask_cpuid:
	movl	$1, %eax
	cpuid
	andl	$0xf7ffffff, %ecx
	movl	%ecx, (%di)
	movl	$7, %eax
	xorl	%ecx, %ecx
	cpuid
	andl	$0xffffffef, %ecx
	movl	%ecx, 4(%di)
	movl	$0xd, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%eax, 8(%di)
	ret

look_at_key:
	inb	$0x64, %al
	testb	$1, %al
	jz	1f
	inb	$0x60, %al
	cmpb	$SCANCODE_P, %al
	jne	1f
	testl	$0x200, mask
	jz	1f
	movw	pkru_at, %bx
	cmpl	$OTHER_PKRU, wanted(%bx)
	je	1f			# the key's release ends in the same code
	movl	$OTHER_PKRU, wanted(%bx)
	xorl	%edx, %edx
	movl	$0x200, %eax
	call	load_some
	movb	$'k', %al
	call	say
1:	ret

# By the TSC, since the speed of an emulated CPU is anybody's guess. A TSC that a
# load sets back ends the wait at once.
delay:
	rdtsc
	movl	%eax, %ebx
1:	rdtsc
	subl	%ebx, %eax
	cmpl	$0x6000000, %eax	# 100 million: 30 to 50 ms
	jb	1b
	ret

# lab/payload.py sets this byte: 1 has the guest set CR4.PKE.
	.org	0xffe0
config:
	.byte	0

	.org	0xfff0
	ljmp	$0xf000, $_start
	.org	0xffff
	.byte	0
