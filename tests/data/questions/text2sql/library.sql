BEGIN TRANSACTION;
CREATE TABLE branch (
    branch_id integer PRIMARY KEY,
    name text NOT NULL,
    town text NOT NULL,
    opened integer
);
CREATE TABLE book (
    book_id integer PRIMARY KEY,
    title text NOT NULL,
    author text NOT NULL,
    genre text NOT NULL,
    pages integer,
    year integer
);
CREATE TABLE member (
    member_id integer PRIMARY KEY,
    name text NOT NULL,
    town text NOT NULL,
    joined integer,
    fee real
);
CREATE TABLE loan (
    loan_id integer PRIMARY KEY,
    book_id integer NOT NULL REFERENCES book(book_id),
    member_id integer NOT NULL REFERENCES member(member_id),
    branch_id integer NOT NULL REFERENCES branch(branch_id),
    days integer NOT NULL,
    returned integer NOT NULL
);
INSERT INTO "branch" VALUES(1,'Harbour','Lindby',1931);
INSERT INTO "branch" VALUES(2,'Old Mill','Lindby',1978);
INSERT INTO "branch" VALUES(3,'Station','Torvik',1994);
INSERT INTO "branch" VALUES(4,'Hillside','Osmund',2006);
INSERT INTO "branch" VALUES(5,'Market','Torvik',NULL);
INSERT INTO "book" VALUES(1,'The Salt Road','Ines Varga','novel',312,1998);
INSERT INTO "book" VALUES(2,'Winter Lamps','Ines Varga','novel',268,2004);
INSERT INTO "book" VALUES(3,'Bees at Home','Tor Aske','nature',184,2011);
INSERT INTO "book" VALUES(4,'A Short History of Ropes','Mina Okoro','history',420,1987);
INSERT INTO "book" VALUES(5,'Moss and Fern','Tor Aske','nature',150,2016);
INSERT INTO "book" VALUES(6,'The Glass Ferry','Lou Pereira','novel',356,2019);
INSERT INTO "book" VALUES(7,'Maps for Children','Mina Okoro','children',64,2009);
INSERT INTO "book" VALUES(8,'The Quiet Engine','Sam Idowu','science',298,2014);
INSERT INTO "book" VALUES(9,'Numbers in the Dark','Sam Idowu','science',240,2001);
INSERT INTO "book" VALUES(10,'Kites','Lou Pereira','children',48,2020);
INSERT INTO "book" VALUES(11,'Rivers of the North','Eva Lund','history',510,1979);
INSERT INTO "book" VALUES(12,'Bread','Eva Lund','cooking',NULL,1995);
INSERT INTO "member" VALUES(1,'Ada','Lindby',2008,12.0);
INSERT INTO "member" VALUES(2,'Bram','Feldon',2013,15.5);
INSERT INTO "member" VALUES(3,'Chidi','Osmund',2018,20.0);
INSERT INTO "member" VALUES(4,'Dagny','Torvik',2009,NULL);
INSERT INTO "member" VALUES(5,'Elif','Lindby',2014,12.0);
INSERT INTO "member" VALUES(6,'Farid','Feldon',2019,15.5);
INSERT INTO "member" VALUES(7,'Greta','Osmund',2010,20.0);
INSERT INTO "member" VALUES(8,'Hana','Torvik',2015,NULL);
INSERT INTO "member" VALUES(9,'Ivo','Lindby',2020,12.0);
INSERT INTO "member" VALUES(10,'Jorun','Feldon',2011,15.5);
INSERT INTO "member" VALUES(11,'Kofi','Osmund',2016,20.0);
INSERT INTO "member" VALUES(12,'Lena','Torvik',2021,NULL);
INSERT INTO "member" VALUES(13,'Mateo','Lindby',2012,12.0);
INSERT INTO "member" VALUES(14,'Nadia','Feldon',2017,15.5);
INSERT INTO "member" VALUES(15,'Oskar','Osmund',2008,20.0);
INSERT INTO "member" VALUES(16,'Priya','Torvik',2013,NULL);
INSERT INTO "loan" VALUES(1,1,1,3,26,1);
INSERT INTO "loan" VALUES(2,11,4,2,31,0);
INSERT INTO "loan" VALUES(3,4,1,3,39,1);
INSERT INTO "loan" VALUES(4,3,6,4,35,1);
INSERT INTO "loan" VALUES(5,6,1,4,14,1);
INSERT INTO "loan" VALUES(6,5,3,2,7,1);
INSERT INTO "loan" VALUES(7,3,12,3,12,1);
INSERT INTO "loan" VALUES(8,5,14,2,33,0);
INSERT INTO "loan" VALUES(9,3,5,3,14,1);
INSERT INTO "loan" VALUES(10,5,3,4,29,1);
INSERT INTO "loan" VALUES(11,7,11,3,38,1);
INSERT INTO "loan" VALUES(12,7,8,1,12,1);
INSERT INTO "loan" VALUES(13,10,12,1,29,1);
INSERT INTO "loan" VALUES(14,1,6,2,18,0);
INSERT INTO "loan" VALUES(15,4,5,3,11,1);
INSERT INTO "loan" VALUES(16,2,8,4,38,0);
INSERT INTO "loan" VALUES(17,2,8,1,13,1);
INSERT INTO "loan" VALUES(18,10,11,4,19,1);
INSERT INTO "loan" VALUES(19,3,4,4,12,1);
INSERT INTO "loan" VALUES(20,10,6,1,19,1);
INSERT INTO "loan" VALUES(21,3,2,4,11,1);
INSERT INTO "loan" VALUES(22,10,13,2,30,1);
INSERT INTO "loan" VALUES(23,11,7,2,4,1);
INSERT INTO "loan" VALUES(24,11,5,3,15,1);
INSERT INTO "loan" VALUES(25,4,14,3,12,0);
INSERT INTO "loan" VALUES(26,10,5,4,36,1);
INSERT INTO "loan" VALUES(27,7,7,2,13,1);
INSERT INTO "loan" VALUES(28,5,6,4,4,1);
INSERT INTO "loan" VALUES(29,11,12,1,26,1);
INSERT INTO "loan" VALUES(30,7,2,3,30,1);
INSERT INTO "loan" VALUES(31,5,2,4,4,1);
INSERT INTO "loan" VALUES(32,6,6,2,23,0);
INSERT INTO "loan" VALUES(33,11,10,2,28,1);
INSERT INTO "loan" VALUES(34,10,2,2,32,0);
INSERT INTO "loan" VALUES(35,9,3,4,13,1);
INSERT INTO "loan" VALUES(36,3,9,2,18,0);
INSERT INTO "loan" VALUES(37,3,13,3,22,1);
INSERT INTO "loan" VALUES(38,1,2,4,37,1);
INSERT INTO "loan" VALUES(39,8,14,2,6,1);
INSERT INTO "loan" VALUES(40,2,2,4,10,0);
INSERT INTO "loan" VALUES(41,1,5,4,26,1);
INSERT INTO "loan" VALUES(42,2,9,4,19,1);
INSERT INTO "loan" VALUES(43,7,8,1,14,1);
INSERT INTO "loan" VALUES(44,9,3,1,18,0);
INSERT INTO "loan" VALUES(45,4,2,3,8,1);
INSERT INTO "loan" VALUES(46,7,9,2,17,1);
INSERT INTO "loan" VALUES(47,3,5,1,12,1);
INSERT INTO "loan" VALUES(48,11,13,2,31,1);
INSERT INTO "loan" VALUES(49,8,11,1,39,1);
INSERT INTO "loan" VALUES(50,5,6,2,9,0);
INSERT INTO "loan" VALUES(51,6,9,1,10,1);
INSERT INTO "loan" VALUES(52,8,3,4,12,1);
INSERT INTO "loan" VALUES(53,10,2,2,28,1);
INSERT INTO "loan" VALUES(54,5,4,4,38,1);
INSERT INTO "loan" VALUES(55,1,14,2,14,1);
INSERT INTO "loan" VALUES(56,8,12,2,9,1);
INSERT INTO "loan" VALUES(57,5,4,1,19,1);
INSERT INTO "loan" VALUES(58,9,8,2,12,0);
INSERT INTO "loan" VALUES(59,10,12,1,22,1);
INSERT INTO "loan" VALUES(60,5,12,3,38,1);
COMMIT;
